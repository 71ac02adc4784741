"""`auditcast workspaces` from the command line on, and what follows for `auditcast destinations`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from auditcast.console.__main__ import auditcast
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection, variable
from auditcast.schemas import wire
from auditcast.schemas.records import Skipped
from auditcast.schemas.sealing import new_key
from tests.conftest import PARTITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "workspaces.md").read_text()
ADD = ("destinations", "add", "--workspace", "ws_1", "--url", "https://siem.example.com/audit")


class Shell:
    """Runs `auditcast …` against the topics of one test."""

    def __init__(self, connection: Connection) -> None:
        self.environ = {
            variable("bootstrap_servers"): connection.bootstrap_servers,
            variable("topic_prefix"): connection.topic_prefix,
            variable("sealing_keys"): new_key(),
        }

    def run(self, *args: str) -> Result:
        return CliRunner().invoke(auditcast, args, env=self.environ)

    def json(self, *args: str) -> Any:
        ended = self.run(*args, "--json")
        assert ended.exit_code == 0, (ended.output, ended.exception)
        return json.loads(ended.stdout)


@pytest.fixture
def shell(topics: Connection) -> Shell:
    return Shell(topics)


def test_a_workspace_is_downgraded_and_upgraded(shell: Shell, topics: Connection) -> None:
    said = ("--name", "Acme", "--url", "https://platform.example.com/acme", "--owner", "ada@example.com")
    first = shell.json("workspaces", "set", "ws_1", "--plan", "enterprise", *said)
    assert (first["changed"], first["workspace"]["entitled"], first["destinations"]) == (True, True, [])
    shell.json(*ADD, "--id", "dst_1")

    down = ("workspaces", "set", "ws_1", "--plan", "Free")
    told = shell.run(*down).stdout
    assert "ws_1 is recorded, on the plan free, which does not forward audit events." in told
    assert "dst_1 of workspace ws_1 is not entitled any more: events are not collected from now on" in told
    again = shell.json(*down)
    assert not again["changed"]
    assert again["destinations"] == [{"id": "dst_1", "entitled": False, "changed": False}]

    refused = shell.run(*ADD)
    assert "its owners (ada@example.com) can change the plan" in str(refused.exception)
    assert "on the plan free" in str(shell.run("destinations", "enable", "dst_1").exception)
    edited = shell.run("destinations", "edit", "dst_1", "--description", "SIEM")
    assert "It is not entitled, so nothing is collected" in edited.stdout

    skipped = wire.encode(Skipped(destination="dst_1", offset=7, since=1_736_937_000_000, events=1204))
    links = Topics(topics.topic_prefix).links
    write(topics, links, partition_of("ws_1", PARTITIONS), "skipped/dst_1@7", skipped)
    line = re.compile(r"not entitled since 20\d\d-\d\d-\d\d [\d:]{8}Z: plan free; 1,204 events not collected")
    assert line.search(shell.run("destinations", "list").stdout)
    assert "events are not collected, only counted" in shell.run("destinations", "show", "dst_1").stdout
    [shape] = shell.json("destinations", "list")
    assert (shape["not_entitled"]["plans"], shape["status"]["state"]) == (["free"], "not-entitled")
    card = shell.run("workspaces", "show", "ws_1").stdout
    assert "(SIEM): not entitled, 1,204 events skipped since 2025-01-15 10:30:00Z" in card
    assert "Acme" in shell.run("workspaces", "list").stdout

    up = shell.json("workspaces", "set", "ws_1", "--plan", "enterprise")
    assert up["destinations"] == [{"id": "dst_1", "entitled": True, "changed": True}]
    assert shell.json("destinations", "show", "dst_1")["status"]["state"] == "active"


def test_other_plans_are_applied_to_all(shell: Shell) -> None:
    shell.json("workspaces", "set", "ws_1", "--plan", "business", "--organization", "org_1")
    shell.environ[variable("entitled_plans")] = "business, enterprise"
    shell.json("workspaces", "set", "ws_2", "--plan", "business")
    assert [each["entitled"] for each in shell.json("workspaces", "list")] == [False, True]
    applied = shell.json("workspaces", "apply")
    assert [each["id"] for each in applied["workspaces"]] == ["ws_1"]
    assert shell.json("workspaces", "apply") == {"workspaces": [], "destinations": []}
    assert [each["id"] for each in shell.json("workspaces", "list", "--organization", "org_1")] == ["ws_1"]


def test_what_a_person_can_do_wrong_gets_one_sentence(shell: Shell) -> None:
    assert "Nothing to record was given" in shell.run("workspaces", "set", "ws_1").stderr
    assert "nothing is known of a workspace 'ws_1'" in str(shell.run("workspaces", "show", "ws_1").exception)
    assert "owner: 'ada' is no email" in str(shell.run("workspaces", "set", "ws_1", "--owner", "ada").exception)
    assert "Nothing is known of any workspace here" in shell.run("workspaces", "list").stdout
    shell.environ[variable("destinations_per_workspace")] = "1"
    shell.json(*ADD)
    assert "has 1 destinations, and may have 1" in str(shell.run(*ADD).exception)


def test_the_page_has_what_is_printed(shell: Shell) -> None:
    shell.json("workspaces", "set", "ws_1", "--plan", "enterprise")
    shell.json(*ADD)
    [page] = map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    shown = shell.json("workspaces", "show", "ws_1")
    assert list(shown) == list(page)
    assert list(shown["destinations"][0]) == list(page["destinations"][0])


def write(connection: Connection, topic: str, partition: int, key: str, value: bytes) -> None:
    producer = clients.producer(connection)
    producer.produce(topic, value, key, partition)
    assert producer.flush(20) == 0
