"""`auditcast destinations` from the command line on, as an admin or a script uses it."""

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import Struct

from auditcast.console import __main__ as umbrella
from auditcast.console.appender import append
from auditcast.console.registry import Registry
from auditcast.console.sealed import open_headers, open_url
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection, variable
from auditcast.kafka.views import View
from auditcast.schemas import wire
from auditcast.schemas.records import Attempt, Batch, Delivered, Parked, Skipped, Status, TestResult
from auditcast.schemas.sealing import Sealer, new_key

KEY = new_key()
TOKENS = ["t0ken-in-argv", "t0ken-in-environment", "t0ken-in-file", "t0ken-in-url"]
SECRET_URL = "https://siem.example.com/hook/t0ken-in-url"


class Ended(Struct):
    """How a command ended."""

    code: object
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


class Shell:
    """Runs `auditcast destinations …` (or another group's) in this process, and keeps all that it printed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self.printed = ""
        self._monkeypatch = monkeypatch
        self._capfd = capfd

    def __call__(self, *args: str, group: str = "destinations") -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["auditcast", group, *args])
        with pytest.raises(SystemExit) as ended:
            umbrella.main()
        out, err = self._capfd.readouterr()
        self.printed += out + err
        assert "Traceback" not in err
        return Ended(ended.value.code, out, err)


@pytest.fixture
def run(topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv(variable("bootstrap_servers"), topics.bootstrap_servers)
    monkeypatch.setenv(variable("topic_prefix"), topics.topic_prefix)
    monkeypatch.setenv(variable("sealing_keys"), KEY)
    return Shell(monkeypatch, capfd)


ADD = ("add", "--workspace", "ws_1", "--url", "https://siem.example.com/audit", "--id", "dst_1")


def test_the_life_of_a_destination(run: Shell) -> None:
    added = run(*ADD, "--description", "Our SIEM", "--header", "Authorization: Basic eA==", "--json").json
    secret = added["secret"]
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    shape = added["destination"]
    assert (shape["state"], shape["number"], shape["headers"]) == ("active", 1, ["Authorization"])

    shown = run("show", "dst_1", "--json").json
    nowhere_yet = {"partitions": 0, "of": 1, "since": None}
    beside = {"not_entitled": None, "status": shown["status"]}
    assert shown == shape | beside | {"in_force": nowhere_yet}
    assert (shown["status"]["state"], shown["status"]["at"]) == ("active", None)
    assert run("list", "--json").json == [shape | beside]
    assert run("list", "--workspace", "ws_2", "--json").json == []

    edited = run("edit", "dst_1", "--window-events", "1", "--remove-header", "authorization", "--json").json
    assert edited == {
        "changed": True,
        "destination": shape
        | {"number": 2, "window_events": 1, "headers": [], "changed_at": edited["destination"]["changed_at"]},
    }
    assert run("disable", "dst_1", "--json").json["destination"]["state"] == "disabled"
    assert run("enable", "dst_1", "--json").json["destination"]["state"] == "active"
    assert run("pause", "dst_1", "--json").json["destination"]["paused"]
    assert not run("resume", "dst_1", "--json").json["destination"]["paused"]
    assert run("delete", "dst_1", "--yes", "--json").json["destination"]["state"] == "deleted"
    assert run("list", "--json").json == []
    assert [each["state"] for each in run("list", "--all", "--json").json] == ["deleted"]
    refused = run("enable", "dst_1")
    assert (refused.code, refused.out) == (1, "")
    assert "was deleted, which is final" in refused.err


def test_the_secret_is_shown_even_if_nothing_comes_of_waiting(run: Shell) -> None:
    waited = run(*ADD, "--wait", "--timeout", "0.1", "--json")
    assert (waited.code, waited.err.count("\n")) == (1, 1)
    assert "dst_1 is not in force yet after 0.1 s: see whether 'auditcast processor' runs" in waited.err
    told = json.loads(waited.out)
    assert told["secret"].startswith("whsec_")
    assert told["in_force"] is None
    assert run(*ADD, "--disabled", "--since", "1h").code == 2
    assert "'soon' says no time" in run(*ADD, "--since", "soon").err


def test_repeating_a_command_does_no_harm(run: Shell) -> None:
    first = run(*ADD, "--header", "X-Key: a", "--json").json
    again = run(*ADD, "--header", "X-Key: a", "--json").json
    assert again == {"changed": False, "destination": first["destination"], "secret": None}
    other = run(*ADD, "--header", "X-Key: b")
    assert other.code == 1
    assert "exists with other settings" in other.err
    for command in (["enable"], ["edit", "--header", "X-Key: a"], ["pause"], ["disable"], ["delete", "--yes"]):
        run(command[0], "dst_1", *command[1:])
        repeated = run(command[0], "dst_1", *command[1:], "--json").json
        assert not repeated["changed"]
    assert repeated["destination"]["number"] == 4


def test_secrets_and_header_values_are_never_shown_or_stored_in_the_clear(
    run: Shell, topics: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("TOKEN", TOKENS[1])
    file = tmp_path / "headers"
    file.write_text(f"X-File: {TOKENS[2]}\r\n\n")
    added = run(
        *ADD, "--header", f"Authorization: Bearer {TOKENS[0]}", "--header-from-env", "X-Env=TOKEN",
        "--header-file", str(file), "--hash", "actor.email",
    )  # fmt: skip
    secret = next(word for word in added.out.split() if word.startswith("whsec_"))
    assert run.printed.count(secret) == 1
    for command in (
        ["list"], ["list", "--json"], ["show", "dst_1"], ["show", "dst_1", "--json"], ["enable", "dst_1"],
        [*ADD[:-2], "--header", f"Bad Name: {TOKENS[0]}"], [*ADD[:-2], "--header", TOKENS[0]],
        [*ADD[:-2], "--header", f"X-A: {TOKENS[0]}\n"], [*ADD, "--header", f"X-A: {TOKENS[0]}"],
        ["edit", "dst_1", "--header", f"X-Env: {TOKENS[0]}", "--json"], ["disable", "dst_1", "--json"],
        ["edit", "dst_1", "--url", SECRET_URL, "--secret-url"], ["show", "dst_1"], ["list"],
        ["rotate-secret", "dst_1", "--overlap", "1d"], ["rotate-secret", "dst_1"],
        ["rotate-secret", "dst_1", "--finish"],
        ["test", "dst_1", "--timeout", "0.1"], ["delete", "dst_1", "--yes", "--json"],
    ):  # fmt: skip
        run(*command)
    assert " https://siem.example.com (sealed)\n" in run.printed
    assert run.printed.count(secret) == 1
    [following] = {word for word in run.printed.split() if word.startswith("whsec_")} - {secret}
    assert run.printed.count(following) == 1
    assert not [token for token in TOKENS if token in run.printed]

    names = Topics(topics.topic_prefix)
    found = [pair for topic in (names.destinations, names.batches, names.status) for pair in records(topics, topic)]
    stored = b"".join(key + (value or b"") for key, value in found)
    assert found
    for hidden in (*TOKENS, secret, secret.removeprefix("whsec_"), following.removeprefix("whsec_")):
        assert hidden.encode() not in stored
    with Registry(topics) as registry:
        revision = registry.get("dst_1")
    assert Sealer([KEY]).open("dst_1/secret", revision.secret) == following
    assert open_url(revision, Sealer([KEY])) == SECRET_URL
    opened = open_headers(revision, Sealer([KEY]))
    assert opened == {"Authorization": f"Bearer {TOKENS[0]}", "X-Env": TOKENS[0], "X-File": TOKENS[2]}


def records(topics: Connection, topic: str) -> list[tuple[bytes, bytes | None]]:
    """All records of a topic."""
    seen: list[tuple[bytes, bytes | None]] = []
    with View(topics, topic, on_change=lambda key, value: seen.append((key, value))) as view:
        view.wait_caught_up(30)
    return seen


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["show", "dst_7"], "there is no destination 'dst_7': see 'auditcast destinations list'"),
        (["add", "--workspace", "w", "--url", "http://a.example"], "url: must begin with https://"),
        (["add", "--workspace", "w"], "url: is missing: give it with --url or --url-from-env"),
        (["add", "--url", "https://a.example"], "scope: give either a workspace or an organization"),
        (["add", "--workspace", "w", "--url", "https://a.example", "--window-events", "0"], "window events: is 0"),
        (
            ["add", "--workspace", "w", "--url", "https://a.example", "--header-file", "/nowhere"],
            "/nowhere cannot be read",
        ),
        (["add", "--workspace", "w", "--url", "https://a.example", "--header", "Host: a"], "Host is set by the system"),
        (
            ["add", "--workspace", "w", "--url", "https://a.example", "--format", "datadog"],
            "needs the header DD-API-KEY",
        ),
        (["rotate-secret", "dst_7"], "there is no destination 'dst_7'"),
        (["rotate-secret", "dst_7", "--overlap", "1 day"], "'1 day' says no length of time"),
    ],
)
def test_a_mistake_gets_one_sentence(run: Shell, args: list[str], sentence: str) -> None:
    ended = run(*args)
    assert (ended.code, ended.out) == (1, "")
    assert sentence in ended.err
    assert ended.err.count("\n") == 1


def test_deleting_asks_first(run: Shell) -> None:
    run(*ADD)
    ended = run("delete", "dst_1")
    assert ended.code == 2
    assert "--yes" in ended.err
    assert run("show", "dst_1", "--json").json["state"] == "active"


def test_a_wrong_sealing_key_is_told(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*ADD, "--header", "X-Key: a")
    monkeypatch.setenv(variable("sealing_keys"), new_key())
    ended = run("edit", "dst_1", "--header", "X-Other: b")
    assert ended.code == 1
    assert "AUDITCAST_SEALING_KEYS lacks" in ended.err
    assert run("disable", "dst_1").code == 0, "needs no key"


def test_how_a_destination_fares_is_shown(run: Shell, topics: Connection) -> None:
    run(*ADD)
    names, now = Topics(topics.topic_prefix), time.time_ns() // 1_000_000
    last = Attempt(at=now - 125_000, latency_ms=42, status=503, error="status-503", answer="later\x1b[2J")
    status = Status(
        destination="dst_1", at=now, last=last, failures=2, failing_since=now - 7_300_000, waiting=1, parked=2,
        parked_events=150, parked_since=now - 3_700_000, dead_letters=1, last_dead_letter=now - 60_000,
        last_reason="status-503", delivered=[Delivered("dst_1-0-e", 7)],
    )  # fmt: skip
    other = TestResult(batch="dst_2", destination="dst_2", delivered=True, attempt=last)
    for key, value in (
        ("dst_1", status),
        ("parked/dst_1@3", Parked(destination="dst_1", offset=3, at=1)),
        ("dst_2", other),
    ):
        append(topics, names.status, key, wire.encode(value), 20)
    home, producer = partition_of("ws_1", 4), clients.producer(topics)
    for offset, events in ((9, 4), (12, 6)):  # the older one is still to be removed
        record = Skipped(destination="dst_1", offset=offset, since=now, events=events)
        producer.produce(names.links, wire.encode(record), f"skipped/dst_1@{offset}", home)
    producer.flush(20)

    listed = run("list").out
    for shown in ("2m ago", "(failed)", "failing", "3 batches", "1h"):
        assert shown in listed
    found = run("show", "dst_1", "--json").json["status"]
    assert (found["state"], found["failures"], found["delivered"]) == ("failing", 2, {"dst_1-0-e": 7})
    assert (found["backlog"]["batches"], found["not_collected"]["events"]) == (3, 6)
    assert run("list", "--json").json[0]["status"] == found
    card = run("show", "dst_1").out
    assert "status 503, 42 ms, status-503: later\\x1b[2J" in card
    assert "6 events while disabled" in card


def test_a_rotation_says_what_it_did_and_when_the_old_key_may_go(run: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    run(*ADD, "--header", "X-Key: a")
    keys = [new_key(), KEY]
    monkeypatch.setenv(variable("sealing_keys"), ",".join(keys))
    rotated = run("rotate", group="keys")
    assert rotated.code == 0
    assert rotated.out.startswith("1 destination is sealed anew with the first key, 0 were so already.\nKeep the other")
    assert "for 7 days" in rotated.out
    monkeypatch.setenv(variable("sealing_keys"), new_key())
    failed = run("rotate", group="keys")
    assert failed.code == 1
    assert "dst_1 is left as it was: dst_1/secret was sealed with a key that AUDITCAST_SEALING_KEYS lacks" in failed.out
    assert "Keep the other" not in failed.out, "no key may be dropped before that is mended"
    assert not [key for key in keys if key in run.printed]


@pytest.fixture
def deliverer(topics: Connection) -> Iterator[Callable[[Attempt, bool], list[Batch]]]:
    """Reports on each test batch as a deliverer would, with the answer that it is told."""
    names = Topics(topics.topic_prefix)
    views: list[View] = []

    def start(attempt: Attempt, delivered: bool) -> list[Batch]:
        batches: list[Batch] = []

        def report(_: bytes, value: bytes | None) -> None:
            batch = wire.decode_as(Batch, value or b"")
            batches.append(batch)
            result = TestResult(batch=batch.id, destination=batch.destination, delivered=delivered, attempt=attempt)
            append(topics, names.status, batch.id, wire.encode(result), 20)

        views.append(View(topics, names.batches, on_change=report).start())
        return batches

    yield start
    for view in views:
        view.close()


def test_a_test_is_delivered_and_its_report_removed(
    run: Shell, topics: Connection, deliverer: Callable[[Attempt, bool], list[Batch]]
) -> None:
    added = run(*ADD, "--json").json["destination"]
    batches = deliverer(Attempt(at=1, latency_ms=42, status=200, answer="thanks\x1b[2J"), True)
    ended = run("test", "dst_1")
    assert ended.code == 0
    assert ended.out == "dst_1: delivered, status 200, 42 ms\nThe answer begins:\n  thanks\\x1b[2J\n"
    [batch] = batches
    assert (batch.destination, batch.revision_number, batch.is_test) == ("dst_1", added["number"], True)
    status = records(topics, Topics(topics.topic_prefix).status)
    assert [(key, value is None) for key, value in status] == [(batch.id.encode(), False), (batch.id.encode(), True)]


def test_a_test_that_fails_says_why_and_exits_with_1(
    run: Shell, deliverer: Callable[[Attempt, bool], list[Batch]]
) -> None:
    run(*ADD)
    deliverer(Attempt(at=1, latency_ms=7, error="refused-address", detail="10.0.0.1 lies in 10.0.0.0/8"), False)
    ended = run("test", "dst_1")
    assert (ended.code, ended.out) == (
        1, "dst_1: not delivered, no answer, 7 ms\nrefused-address: 10.0.0.1 lies in 10.0.0.0/8\n",
    )  # fmt: skip
    ended = run("test", "dst_1", "--json")
    assert ended.code == 1
    assert json.loads(ended.out)["error"] == "refused-address"


def test_without_a_deliverer_a_test_says_so(run: Shell) -> None:
    run(*ADD)
    ended = run("test", "dst_1", "--timeout", "0.2")
    assert ended.code == 1
    assert "no deliverer reported within 0.2 s" in ended.err
