"""What tests of replays share: letters and batches in the topics, a stand-in for the deliverer, the command line."""

import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Self, cast

import pytest
from confluent_kafka import Message
from msgspec import Struct
from msgspec.structs import replace

from auditcast.console import __main__ as umbrella
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection, variable
from auditcast.schemas import wire
from auditcast.schemas.chain import GENESIS, batch_id, body_digest, digest_of, stream_name
from auditcast.schemas.records import Attempt, Attempted, Batch, DeadLetter, Delivery, RecordHeader, Revision
from tests.conftest import PARTITIONS

NOW = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
EVENT = (
    b'{"specversion":"1.0","id":"aud_%d","source":"https://atmos-pro.com/workspaces/ws_1","type":"t",'
    b'"time":"2026-11-20T10:30:00.000Z","datacontenttype":"application/json","data":{"actor":{"id":"usr_1",'
    b'"type":"user","email":"ada@example.com"},"action":{"category":"workspace","action":"created"},'
    b'"target":{"type":"workspace","id":"ws_1"},"description":null,"metadata":{},"outcome":"success"},'
    b'"workspaceid":"ws_1","sequence":"%020d"}'
)
Rows = list[tuple[bytes | None, bytes | None, dict[str, bytes]]]


def fine(_batch: Batch, _delivery: Delivery) -> None:
    """A receiver that takes everything."""


class World:
    """The topics of one test, as deliverers and consoles would have left them."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.topics = Topics(connection.topic_prefix)
        self.answered: set[str] = set()
        """Runs that a stand-in has answered."""
        self._producer = clients.producer(connection)

    def append(self, topic: str, key: str | None, value: bytes | None, partition: int = -1, headers: Any = ()) -> None:
        """Append a record; durable at the next `flush`."""
        self._producer.produce(topic, value, key, partition, headers=list(headers))
        self._producer.poll(0)

    def flush(self) -> None:
        assert self._producer.flush(30) == 0

    def destination(self, name: str, **changes: Any) -> Revision:
        """Register a destination of the workspace `ws_1`."""
        made = Revision(
            destination=name, number=1, nonce="00", state="active", changed_at=NOW, workspace="ws_1",
            description="Our SIEM", url="https://siem.example.com/audit", epoch="0f",
        )  # fmt: skip
        made = replace(made, **changes)
        self.append(self.topics.destinations, name, wire.encode(made))
        self.flush()
        return made

    def letters(self, name: str, sequences: range, **changes: Any) -> list[str]:
        """Dead letters of a destination's batches; returns their keys."""
        keys = []
        for sequence in sequences:
            batch = batch_of(name, sequence)
            letter = replace(letter_of(batch, self.topics), **changes)
            self.append(self.topics.dead_letters, batch.id, wire.encode(letter))
            keys.append(batch.id)
        self.flush()
        return keys

    def unreadable(self, offset: int, key: bytes | None = b"ws_1", **changes: Any) -> str:
        """The dead letter of an event that nobody can read; returns its key."""
        letter = DeadLetter(
            topic=self.topics.events, partition=1, offset=offset, at=NOW - HOUR_MS, reason="invalid-event",
            detail="data.actor.id: it is missing", key=key, value=b'{"broken": %d}' % offset,
            headers=[RecordHeader("content-type", b"application/json")],
        )  # fmt: skip
        name = f"{self.topics.events}/1@{offset}"
        self.append(self.topics.dead_letters, name, wire.encode(replace(letter, **changes)))
        self.flush()
        return name

    def batches(self, name: str, sequences: range) -> None:
        """Batches of a destination as a processor appends them."""
        for sequence in sequences:
            self.append(self.topics.batches, name, wire.encode(batch_of(name, sequence)))
        self.flush()

    def rows(self, topic: str) -> Rows:
        """All that lies in a topic."""
        with Scan(self.connection, topic) as scan:
            return [(found.key(), found.value(), dict(_headers(found))) for found in scan.to_end(30)]

    def owed(self) -> set[str]:
        """The keys of the letters that are not settled."""
        newest = {key: value for key, value, _ in self.rows(self.topics.dead_letters)}
        return {(key or b"").decode() for key, value in newest.items() if value is not None}

    def deliverer(self, answer: Callable[[Batch, Delivery], str | None]) -> "StandIn":
        """One that answers each copy with None, delivered, or with a reason; to be entered."""
        return StandIn(self, answer)


class StandIn:
    """Plays the deliverer's part in replays: each copy in `audit.batches` is attempted once, and has its verdict."""

    def __init__(self, world: World, answer: Callable[[Batch, Delivery], str | None]) -> None:
        self.got: list[tuple[Batch, Delivery]] = []
        self.raw: list[bytes] = []
        self._world = world
        self._answer = answer
        self._ending = False
        self._scan = Scan(world.connection, world.topics.batches)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending = True
        self._thread.join()
        self._world.answered |= {delivery.replay for _, delivery in self.got}
        self._scan.__exit__()

    def _run(self) -> None:
        for message in self._scan.to_end(30):
            self._take(message)
        while not self._ending:
            for message in self._scan.after(0.05):
                self._take(message)

    def _take(self, message: Message) -> None:
        headers = dict(_headers(message))
        if HEADER not in headers:
            return
        assert message.partition() == partition_of((message.key() or b"").decode(), PARTITIONS)
        batch, delivery = wire.decode_as(Batch, message.value() or b""), wire.decode_as(Delivery, headers[HEADER])
        if delivery.replay in self._world.answered:
            return  # by an earlier stand-in, which has committed it
        self.raw.append(message.value() or b"")
        self._settle(batch, delivery)

    def _settle(self, batch: Batch, delivery: Delivery) -> None:
        self.got.append((batch, delivery))
        why = self._answer(batch, delivery)
        attempt = Attempt(at=NOW, latency_ms=1, status=503 if why else 200)
        report = Attempted(
            destination=batch.destination, batch=batch.id, stream=batch.stream, sequence=batch.sequence,
            first_event=batch.first_event, last_event=batch.last_event, number=1, replay=delivery.replay,
            fate=("dead-letter" if delivery.letter else "retry-1") if why else "delivered", attempt=attempt,
        )  # fmt: skip
        topics = self._world.topics
        self._world.append(topics.attempts, batch.destination, wire.encode(report))
        if delivery.letter:
            letter = replace(letter_of(batch, topics), reason=why or "", replay=delivery.replay)
            self._world.append(topics.dead_letters, delivery.letter, wire.encode(letter) if why else None)
        self._world.flush()


class Ended(Struct):
    """How a command ended."""

    code: object
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Shell:
    """Runs `auditcast …` in this process."""

    def __init__(
        self, connection: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capfd = capfd
        self.setting("bootstrap_servers", connection.bootstrap_servers)
        self.setting("topic_prefix", connection.topic_prefix)

    def setting(self, field: str, value: str) -> None:
        """Give a setting to all commands from now on."""
        self._monkeypatch.setenv(variable(field), value)

    def __call__(self, *args: str) -> Ended:
        self._monkeypatch.setattr(sys, "argv", ["auditcast", *args])
        with pytest.raises(SystemExit) as ended:
            umbrella.main()
        out, err = self._capfd.readouterr()
        assert "Traceback" not in err
        return Ended(ended.value.code, out, err)


def batch_of(name: str, sequence: int, events: int = 2) -> Batch:
    """The batch with this number in the one stream of a destination."""
    first = (sequence - 1) * events + 1
    body = b"[%b]" % b",".join(EVENT % (number, number) for number in range(first, first + events))
    stream = stream_name(name, 0, "0f")
    batch = Batch(
        id=batch_id(stream, sequence), destination=name, revision_number=1, revision_nonce="00", stream=stream,
        sequence=sequence, first_event=first, last_event=first + events - 1, partition=0, first_offset=first,
        last_offset=first + events - 1, opened=NOW - HOUR_MS + sequence * 1000, format="cloudevents/1", gap="-",
        body_sha256=body_digest(body), previous_digest=GENESIS, digest="", body=body,
    )  # fmt: skip
    return replace(batch, digest=digest_of(batch))


def letter_of(batch: Batch, topics: Topics) -> DeadLetter:
    """What a deliverer writes when the last retry of a batch failed."""
    began = NOW - 2 * HOUR_MS
    attempts = [
        Attempt(at=began + tier * 30_000, latency_ms=40 + tier, status=503, answer="try \x1b[2J later")
        for tier in range(6)
    ]
    return DeadLetter(
        topic=topics.batches, partition=partition_of(batch.destination, PARTITIONS), offset=1000 + batch.sequence,
        at=NOW - HOUR_MS + batch.sequence, reason="status-503", detail="", key=batch.destination.encode(),
        value=wire.encode(batch), headers=[RecordHeader("x-other", b"hush")], destination=batch.destination,
        attempts=attempts,
    )  # fmt: skip


def _headers(message: Message) -> list[tuple[str, bytes]]:
    return cast("list[tuple[str, bytes]]", message.headers() or [])
