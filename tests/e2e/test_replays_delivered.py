"""Replays with the real deliverer: what the commands append is sent, settled and marked as they promise."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from secrets import token_hex

import pytest
import trustme

from auditcast.kafka.settings import Connection
from tests.e2e.deliveries import Deliveries, until
from tests.e2e.replays import Shell
from tests.hostile import Hostile, Request


@pytest.fixture
def receiver(ca: trustme.CA) -> Iterator[Hostile]:
    with Hostile(ca) as server:
        yield server


@pytest.fixture
def deliveries(topics: Connection, ca: trustme.CA, tmp_path: Path) -> Deliveries:
    return Deliveries(topics, ca, tmp_path)


@pytest.fixture
def run(topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    return Shell(topics, monkeypatch, capfd)


def misdirected(deliveries: Deliveries, receiver: Hostile) -> str:
    """A destination whose URL is refused, so that all of its batches become dead letters at once."""
    return deliveries.destination(f"http://localhost:{receiver.port}/ok")


def mended(deliveries: Deliveries, run: Shell, destination: str, url: str) -> None:
    """Give it another URL."""
    run.setting("sealing_keys", ",".join(deliveries.keys))
    run.setting("allowed_networks", "127.0.0.0/8")
    ended = run("destinations", "edit", destination, "--url", url)
    assert ended.code == 0, ended


def _reached(receiver: Hostile, count: int) -> bool:
    return len(receiver.requests) >= count


def sequences(requests: list[Request]) -> list[int]:
    return [int(request.headers["x-audit-sequence"]) for request in requests]


def test_letters_are_delivered_settled_and_marked(deliveries: Deliveries, receiver: Hostile, run: Shell) -> None:
    name = misdirected(deliveries, receiver)
    with deliveries.deliverer():
        sent = deliveries.batches(name, 12)
        until(lambda: len(deliveries.letters()) == 12, "the dead letters")

        failed = run("dead-letters", "replay", "--all", "--yes", "--json")
        assert failed.code == 1
        [told] = failed.json["destinations"]
        assert (told["failed"], told["left"], told["given_up"]) == (3, 9, True)
        assert told["last_failure"].startswith("destination-invalid")
        again = [key for key, letter in deliveries.letters().items() if letter.replay == failed.json["run"]]
        assert sorted(again) == sorted(batch.id for batch in sent[:3])
        assert receiver.requests == []

        mended(deliveries, run, name, receiver.url("/ok"))
        done = run("dead-letters", "replay", "--destination", name, "--yes", "--json")
        assert done.code == 0, done
        assert done.json["delivered"] == 12
    assert deliveries.letters() == {}
    assert sequences(receiver.requests) == list(range(1, 13))
    for request, batch in zip(receiver.requests, sent, strict=True):
        assert (request.headers["webhook-id"], request.body) == (batch.id, batch.body)
        assert request.headers["x-audit-replay"] == done.json["run"]


def test_what_was_delivered_is_sent_again(deliveries: Deliveries, receiver: Hostile, run: Shell) -> None:
    name = deliveries.destination(receiver.url("/ok"))
    with deliveries.deliverer():
        sent = deliveries.batches(name, 8)
        until(lambda: len(receiver.requests) == 8, "the deliveries")
        report = run("replay", "--destination", name, "--sequence", "3-6", "--yes", "--json")
        assert report.code == 0, report
        assert report.json["delivered"] == 4
        more = deliveries.batches(name, 1)
        until(lambda: len(receiver.requests) == 13, "one more delivery")
    assert sequences(receiver.requests) == [*range(1, 9), 3, 4, 5, 6, 9]
    assert [request.body for request in receiver.requests[8:12]] == [batch.body for batch in sent[2:6]]
    assert {request.headers.get("x-audit-replay") for request in receiver.requests[8:12]} == {report.json["run"]}
    assert "x-audit-replay" not in receiver.requests[12].headers
    assert receiver.requests[12].headers["webhook-id"] == more[0].id
    assert deliveries.letters() == {}


def test_killed_at_any_moment_it_is_run_again_without_harm(
    deliveries: Deliveries, receiver: Hostile, run: Shell, tmp_path: Path
) -> None:
    name = misdirected(deliveries, receiver)
    with deliveries.deliverer():
        sent = deliveries.batches(name, 60)
        until(lambda: len(deliveries.letters()) == 60, "the dead letters")
        mended(deliveries, run, name, receiver.url("/ok"))
        for reached in (5, 20, 40):
            log = (tmp_path / token_hex(4)).open("wb")
            process = subprocess.Popen(
                [sys.executable, "-m", "auditcast.console", "dead-letters", "replay", "--all", "--yes"],
                stdout=log, stderr=log,
            )  # fmt: skip
            until(partial(_reached, receiver, reached), "some deliveries")
            process.send_signal(signal.SIGKILL)
            process.wait()
        ended = run("dead-letters", "replay", "--all", "--yes")
        assert ended.code == 0, ended
        until(lambda: not deliveries.letters(), "the end of the last letter")
    bodies = {request.headers["webhook-id"]: request.body for request in receiver.requests}
    assert bodies == {batch.id: batch.body for batch in sent}
    assert len(receiver.requests) <= 60 + 3 * 8, "only what was under way may come twice"
