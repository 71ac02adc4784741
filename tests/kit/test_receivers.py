"""The receivers of one's own (docs/kit/receiver.*) take what is genuine once, and keep what a verifier reads."""

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
import trustme
from click.testing import CliRunner
from msgspec.structs import replace

from auditcast.console.commands.verify import command as verify
from tests.kit.languages import KIT
from tests.kit.sending import NEXT_SECRET, SECRET, Request, chained, sent

COMMANDS = {"python": [sys.executable, "receiver.py"], "node": ["node", "receiver.mjs"]}


@contextmanager
def receiver(command: list[str], folder: Path, ca: trustme.CA) -> Iterator[str]:
    """Its URL, while it runs."""
    certificate = ca.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    process = subprocess.Popen(  # noqa: S603  (our own program)
        [*command, "127.0.0.1", "0", "cert.pem", "key.pem", "deliveries.jsonl"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": SECRET},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split(" ")[0]
    finally:
        process.kill()
        process.communicate()


def fresh(*counts: int, **ways: object) -> list[Request]:
    """Deliveries of this very moment."""
    return [sent(batch, now=int(time.time()), **ways) for batch in chained(*counts)]  # type: ignore[arg-type]  # the keywords of `sent`


@pytest.mark.parametrize("language", COMMANDS)
def test_it_takes_what_is_genuine_once(language: str, tmp_path: Path, ca: trustme.CA) -> None:
    for name in ("check.py", "receiver.py", "check.mjs", "receiver.mjs"):
        shutil.copy(KIT / name, tmp_path)
    kept = tmp_path / "deliveries.jsonl"
    first, second, third = fresh(2, 1, 3)
    packed, _ = fresh(1, 1, packed=True)
    forged = replace(second, body=second.body.replace(b"aud_", b"aud-"))
    trust = ssl.create_default_context()
    ca.configure_trust(trust)

    with closing(httpx.Client(verify=trust)) as client:

        def answers(url: str, *requests: Request) -> list[tuple[int, str]]:
            told = [client.post(url, headers=dict(each.headers), content=each.body) for each in requests]
            return [(answer.status_code, answer.text) for answer in told]

        with receiver(COMMANDS[language], tmp_path, ca) as url:
            assert answers(url, first, first, forged, third, packed) == [
                (200, "next"),
                (200, "repeat"),
                (401, "wrong signature"),
                (200, "early"),
                (200, "next"),
            ]
        kept.write_bytes(kept.read_bytes() + b'{"headers": {"webhook-id": "torn')
        with receiver(COMMANDS[language], tmp_path, ca) as url:
            assert answers(url, first, second) == [(200, "repeat"), (200, "next")]

    done = subprocess.run(  # noqa: S603  (our own program)
        ["node", KIT / "verify.mjs", "--json", kept],  # noqa: S607  (wherever node is)
        env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": f"{SECRET} {NEXT_SECRET}"},
        stdout=subprocess.PIPE,
        check=False,
    )
    found = json.loads(done.stdout)["findings"]
    assert [(each["kind"], each.get("first"), each.get("last"), each.get("sequence")) for each in found] == [
        ("late", None, None, 2),
        ("complete", 1, 3, None),
        ("complete", 1, 1, None),
    ]
    ours = CliRunner(env={"AUDITCAST_SECRET": SECRET}).invoke(verify, [str(kept)])
    assert (ours.exit_code, ours.stdout.count("complete  ")) == (0, 2), ours.stdout
