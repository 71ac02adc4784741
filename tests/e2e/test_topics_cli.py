"""`auditcast topics` as an operator meets it: exit codes, standard output, standard error."""

import json
import os
import subprocess
import sys
from secrets import token_hex

from auditcast.kafka.local import Broker
from auditcast.kafka.settings import variable


def auditcast(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {variable(name): value for name, value in settings.items()}
    command = [sys.executable, "-m", "auditcast.console", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603  (our own)


def test_an_operator_makes_topics_and_sees_what_differs(broker: Broker) -> None:
    settings = {
        "bootstrap_servers": broker.bootstrap,
        "topic_prefix": f"test-{token_hex(4)}",
        "timestamps": "broker" if broker.broker_time else "producer",
    }
    before = auditcast("topics", "check", **settings)
    assert before.returncode == 1
    assert f"wrong: {settings['topic_prefix']}.links does not exist: run 'auditcast topics create'" in before.stderr
    made = auditcast("topics", "create", "--partitions", "2", **settings)
    assert made.returncode == 0, made.stderr
    assert made.stdout.endswith("the topics are as they must be, 2 partitions each\n")
    again = auditcast("topics", "create", "--json", **settings)
    answer = json.loads(again.stdout)
    assert (again.returncode, answer["ok"], answer["made"]) == (0, True, [])
    assert [each["warning"] for each in answer["differences"]] == ([] if broker.broker_time else [True])


def test_without_a_broker_there_is_one_sentence() -> None:
    found = auditcast("topics", "check", bootstrap_servers="127.0.0.1:1")
    assert found.returncode == 1
    assert found.stdout == ""
    assert found.stderr == (
        "auditcast: no broker answers at 127.0.0.1:1 (Connect to ipv4#127.0.0.1:1 failed: Connection refused):"
        " start it, or correct AUDITCAST_BOOTSTRAP_SERVERS\n"
    )
