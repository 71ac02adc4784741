"""`AuditLog` over a channel made for the test: what goes in, what comes out, when it is replaced."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from auditcast.producers import AuditLog, BufferFull, Closed, InvalidEvent, NotDurable
from auditcast.producers.channel import Channel, Headers, Settle
from auditcast.schemas import wire
from auditcast.schemas.avro_events import to_cloudevent
from auditcast.schemas.errors import Misconfigured
from auditcast.schemas.events import encode
from auditcast.schemas.records import AuditEvent

USUAL: Mapping[str, Any] = {
    "workspace": "ws_1",
    "category": "workspace",
    "action": "created",
    "actor": {"id": "usr_1", "type": "user"},
}


class FakeChannel:
    """Keeps what it is given, and settles it when told."""

    def __init__(self) -> None:
        self.broken = False
        self.trouble: str | None = None
        self.sent: list[tuple[str, bytes, Headers]] = []
        self.settles: list[Settle | None] = []
        self.closed_with: list[float] = []
        self.retired = False

    def __len__(self) -> int:
        return len(self.sent)

    def send(self, key: str, value: bytes, headers: Headers, max_block: float, settle: Settle | None) -> None:
        if self.retired:
            raise Closed
        self.sent.append((key, value, headers))
        self.settles.append(settle)

    def flush(self, timeout: float) -> int:
        return len(self.sent)

    def close(self, timeout: float) -> int:
        self.closed_with.append(timeout)
        self.retired = True
        return len(self.sent)

    def retire(self) -> None:
        self.retired = True


class FakeLog(AuditLog):
    """An audit log whose channels can be looked into."""

    def __init__(self, **settings: Any) -> None:
        self.channels: list[FakeChannel] = []
        super().__init__("nowhere:9092", **settings)

    def _open_channel(self) -> Channel:
        self.channels.append(FakeChannel())
        return self.channels[-1]


def test_an_event_is_sent_under_its_workspace_in_structured_mode() -> None:
    with FakeLog() as log:
        event = log.emit(**USUAL, id="own-1")
        [(key, value, headers)] = log.channels[0].sent
    assert (event, key) == ("own-1", "ws_1")
    assert headers == [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    assert value.startswith(b'{"specversion":"1.0","id":"own-1"')


def test_avro_holds_the_same_event() -> None:
    with FakeLog() as json_log, FakeLog(encoding="avro") as avro_log:
        fields = {**USUAL, "id": "own-1", "occurred_at": 1_736_937_000_000, "metadata": {"a": [1.5, None]}, "ip": "::1"}
        json_log.emit(**fields)
        avro_log.emit(**fields)
        [(_, json_value, _)] = json_log.channels[0].sent
        [(_, avro_value, headers)] = avro_log.channels[0].sent
    record = wire.decode_as(AuditEvent, avro_value)
    assert encode(to_cloudevent(record, "https://atmos-pro.com", "pro.atmos")) == json_value
    assert headers == []


def test_a_cloudevent_of_another_sdk_is_sent_in_its_minimal_form() -> None:
    with FakeLog() as log:
        log.emit(**USUAL, id="own-1")
        minimal = log.channels[0].sent[0][1]
        assert log.emit_cloudevent(minimal.replace(b'","', b'", "')) == "own-1"
        assert log.channels[0].sent[1][:2] == ("ws_1", minimal)
        with pytest.raises(InvalidEvent, match="did you mean created"):
            log.emit_cloudevent(minimal.replace(b'"action":"created"', b'"action":"creatd"'))


def test_a_receipt_can_be_waited_for() -> None:
    with FakeLog() as log:
        good, bad, slow = (log.emit_with_receipt(**USUAL, id=name) for name in ("good", "bad", "slow"))
        settles = log.channels[0].settles
        assert settles[0]
        assert settles[1]
        settles[0](None)
        settles[1]("the disk is full")
        assert (good.wait(), good.durable, bad.durable, slow.durable) == ("good", True, False, False)
        with pytest.raises(NotDurable, match="the disk is full"):
            bad.wait()
        with pytest.raises(NotDurable, match="still being tried"):
            slow.wait(0.001)


async def test_a_receipt_can_be_awaited_and_giving_up_does_not_harm_it() -> None:
    async with FakeLog() as log:
        receipt = log.emit_with_receipt(**USUAL, id="one")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.ensure_future(_value(receipt)), 0.001)
        settle = log.channels[0].settles[0]
        assert settle
        asyncio.get_running_loop().run_in_executor(None, settle, None)
        assert await receipt == "one"


async def _value(receipt: Any) -> str:
    return str(await receipt)


def test_after_closing_nothing_is_taken_and_closing_again_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    log = FakeLog(close_timeout=3)
    log.emit(**USUAL)
    assert log.close() == 1
    assert log.close() == 0
    assert log.channels[0].closed_with == [3]
    assert "closed with 1 events" in caplog.text
    with pytest.raises(Closed):
        log.emit(**USUAL)


def test_a_broken_channel_is_replaced_once() -> None:
    with FakeLog() as log:
        log.emit(**USUAL)
        log.channels[0].broken = True
        log.emit(**USUAL)
        log.emit(**USUAL)
    assert [len(channel.sent) for channel in log.channels] == [1, 2]
    assert log.channels[0].retired


def test_threads_share_one_log() -> None:
    with FakeLog() as log, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: log.emit(**USUAL), range(2000)))
    assert len(set(ids)) == len(log.channels[0].sent) == 2000


def test_settings_come_from_the_environment(tmp_path: Any) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[ship]\nlaunched = "A ship was launched"\n')
    environ = {
        "AUDITCAST_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "AUDITCAST_BASE_URL": "https://yard.example",
        "AUDITCAST_CATALOGUE": str(own),
    }
    with AuditLog.from_env(environ, close_timeout=0) as log:
        log.emit(**{**USUAL, "category": "ship", "action": "launched"})
    with pytest.raises(Misconfigured, match="AUDITCAST_BOOTSTRAP_SERVERS is not set"):
        AuditLog.from_env({})
    with pytest.raises(Misconfigured, match="AUDITCAST_ENCODING"):
        AuditLog.from_env({**environ, "AUDITCAST_ENCODING": "xml"})


@pytest.mark.parametrize("wrong", [{"base_url": "atmos-pro.com"}, {"type_prefix": "a b"}])
def test_a_wrong_argument_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match=next(iter(wrong))):
        FakeLog(**wrong)


IMPORTS: dict[str, Callable[[set[str]], set[str]]] = {
    "from auditcast.producers import AuditLog": lambda loaded: loaded & {"faust", "aiohttp", "fastavro"},
    "import auditcast.producers.testing.plugin": lambda loaded: loaded & {"msgspec", "confluent_kafka", "asyncio"},
}


@pytest.mark.parametrize("statement", IMPORTS)
def test_importing_loads_no_more_than_is_needed(statement: str) -> None:
    script = f"import sys, pytest; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  (the script above)
    assert IMPORTS[statement](set(found.stdout.split())) == set()


def test_the_memory_log_and_its_fixture(audit_log: Any) -> None:
    event = audit_log.emit(**USUAL, metadata={"a": 1}, ip="::1")
    audit_log.emit(**{**USUAL, "action": "deleted"})
    assert [each.action for each in audit_log.events] == ["created", "deleted"]
    assert audit_log.emit_with_receipt(**USUAL, id="x").wait(0) == "x"
    found = audit_log.one(action="created", id=event)
    assert (found.actor.id, found.target, found.metadata, found.ip) == ("usr_1", None, {"a": 1}, "::1")
    with pytest.raises(AssertionError, match="0 events have"):
        audit_log.one(action="renamed")
    with pytest.raises(TypeError, match="no actoin"):
        audit_log.one(actoin="created")
    with pytest.raises(InvalidEvent):
        audit_log.emit(**{**USUAL, "workspace": ""})
    audit_log.clear()
    assert audit_log.events == []


def test_the_memory_log_can_be_full() -> None:
    from auditcast.producers.testing import MemoryAuditLog

    with MemoryAuditLog(capacity=1) as log:
        log.emit(**USUAL)
        with pytest.raises(BufferFull):
            log.emit(**USUAL)
