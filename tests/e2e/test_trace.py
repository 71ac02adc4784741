"""`auditcast trace` over records as the pipeline writes them: in each case the one sentence that a ticket needs."""

import json
import sys
import time
from typing import Any

import pytest
from msgspec.structs import replace

from auditcast.console import __main__ as umbrella
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection, variable
from auditcast.processors.state import revision_key
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, stream_epoch, stream_name
from auditcast.schemas.records import (
    Attempt,
    Attempted,
    AuditEvent,
    Batch,
    DeadLetter,
    Delivery,
    Parked,
    Released,
    Revision,
    RevisionInForce,
)  # fmt: skip
from auditcast.schemas.wire import encode
from tests.bodies import joined
from tests.conftest import PARTITIONS

WITHIN_S = 30
WORKSPACE, DESTINATION = "ws_1", "dst_1"
HOME = partition_of(WORKSPACE, PARTITIONS)
LANE = partition_of(DESTINATION, PARTITIONS)
EVENT: dict[str, Any] = {"category": "lock", "action": "created", "actor": {"id": "u", "type": "user"}}


class World:
    """What the workers would have written."""

    def __init__(
        self, connection: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.topics = Topics(connection.topic_prefix)
        self.now = time.time_ns() // 1_000_000
        self._producer = clients.producer(connection)
        self._capfd = capfd
        self._monkeypatch = monkeypatch
        monkeypatch.setenv(variable("bootstrap_servers"), connection.bootstrap_servers)
        monkeypatch.setenv(variable("topic_prefix"), connection.topic_prefix)
        self.revision = Revision(
            destination=DESTINATION, number=1, nonce="n", state="active", changed_at=0, workspace=WORKSPACE, epoch="e"
        )
        self.write(self.topics.destinations, encode(self.revision), DESTINATION)
        self.stream = stream_name(DESTINATION, HOME, stream_epoch("e", 0, self.now))

    def write(self, topic: str, value: bytes | None, key: str | None = None, partition: int = -1, **more: Any) -> int:
        """Append a record; its offset."""
        offsets: list[int] = []
        self._producer.produce(
            topic, value, key, partition, on_delivery=lambda _, message: offsets.append(message.offset() or 0), **more
        )
        self._producer.flush(WITHIN_S)
        return offsets[0]

    def in_force(self, offset: int = 0, revision: Revision | None = None, **more: Any) -> None:
        entry = RevisionInForce(
            offset=offset, timestamp=self.now, stream=self.stream, revision=revision or self.revision, **more
        )
        self.write(self.topics.links, encode(entry), revision_key(DESTINATION, offset), HOME)

    def emitted(self) -> str:
        """An event in its place; the record before it is the control record."""
        self.write(self.topics.events, b"", partition=HOME)
        with MemoryAuditLog() as log:
            event = log.emit(workspace=WORKSPACE, **EVENT)
            self.value = log.values[0]
        self.write(self.topics.events, self.value, WORKSPACE)
        return event

    def batched(self) -> Batch:
        body = joined("cloudevents/1", [self.value], 7)
        batch = Batch(
            id=batch_id(self.stream, 3), destination=DESTINATION, revision_number=1, revision_nonce="n",
            stream=self.stream, sequence=3, first_event=7, last_event=7, partition=HOME, first_offset=1, last_offset=1,
            opened=self.now, format="cloudevents/1", gap=NO_GAP, body_sha256="", previous_digest=GENESIS, digest="",
            body=body,
        )  # fmt: skip
        self.write(self.topics.batches, encode(batch), DESTINATION)
        return batch

    def attempted(self, batch: Batch, number: int, fate: str, first: int = 7, last: int = 7) -> Attempt:
        attempt = Attempt(
            at=self.now + number, latency_ms=5, status=500, error="status", detail="no success", answer="x"
        )
        record = Attempted(
            destination=DESTINATION, batch=batch.id, stream=batch.stream, sequence=3, first_event=first,
            last_event=last, number=number, fate=fate, attempt=attempt,
        )  # fmt: skip
        self.write(self.topics.attempts, encode(record), DESTINATION)
        return attempt

    def copied(self, topic: str, batch: Batch, **delivery: Any) -> int:
        header = [(HEADER, encode(Delivery(offset=0, **delivery)))]
        return self.write(topic, encode(batch), DESTINATION, LANE, headers=header)

    def trace(self, *args: str) -> tuple[object, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["auditcast", "trace", *args])
        with pytest.raises(SystemExit) as ended:
            umbrella.main()
        out, err = self._capfd.readouterr()
        return ended.value.code, out, err

    def told(self, event: str) -> dict[str, Any]:
        """The only destination's part."""
        code, out, err = self.trace(event, "--json")
        assert code == 0, err
        (destination,) = json.loads(out)["destinations"]
        return dict(destination)


@pytest.fixture
def world(topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> World:
    return World(topics, monkeypatch, capfd)


def test_the_life_of_an_event(world: World) -> None:
    event = world.emitted()
    assert world.told(event)["state"] == "not-in-force"
    world.in_force()
    assert world.told(event)["state"] == "open"
    batch = world.batched()
    waiting = world.told(event)
    assert waiting["state"] == "waiting"
    assert (waiting["batch"]["id"], waiting["batch"]["sequence"], waiting["batch"]["event"]) == (batch.id, 3, 7)

    world.attempted(batch, 1, "retry-2")
    world.copied(world.topics.retries[1], batch, not_before=1_736_937_000_000)
    later = world.told(event)
    assert (later["state"], later["at"]) == ("retry-2", "2025-01-15T10:30:00.000Z")
    assert later["attempts"][0]["answer"] == "x"

    parked = world.copied(world.topics.parked, batch, parked_at=world.now)
    marker = Parked(destination=DESTINATION, offset=parked, at=world.now)
    world.write(world.topics.status, encode(marker), f"parked/{DESTINATION}@{parked}")
    assert world.told(event)["state"] == "parked"
    again = world.copied(world.topics.parked, batch)
    marker = Parked(destination=DESTINATION, offset=again, at=world.now)
    world.write(world.topics.status, encode(marker), f"parked/{DESTINATION}@{again}")
    assert "parked since 20" in world.told(event)["sentence"], "the copy does not say, its record does"
    released = Released(destination=DESTINATION, first=again, offset=again, at=world.now)
    world.write(world.topics.status, encode(released), f"released/{DESTINATION}@{again}-{again}")
    released = Released(destination=DESTINATION, first=parked, offset=parked, at=world.now)
    world.write(world.topics.status, encode(released), f"released/{DESTINATION}@{parked}-{parked}")
    assert world.told(event)["state"] == "retry-2"

    letter = DeadLetter(
        topic=world.topics.batches, partition=LANE, offset=0, at=world.now, reason="status", detail="no success"
    )
    world.write(world.topics.dead_letters, encode(letter), batch.id)
    world.attempted(batch, 2, "dead-letter")
    assert world.told(event)["state"] == "dead-letter"
    world.attempted(batch, 3, "delivered")
    world.write(world.topics.dead_letters, None, batch.id)
    delivered = world.told(event)
    assert (delivered["state"], len(delivered["attempts"]), delivered["dead_letters"]) == ("delivered", 3, [])
    code, out, _ = world.trace(event)
    assert code == 0
    assert f"{DESTINATION}: delivered at" in out
    assert "attempt 1 at" in out


def test_attempts_that_are_alike_are_told_in_one_line(world: World) -> None:
    event = world.emitted()
    world.in_force()
    batch = world.batched()
    for _ in range(3):
        world.attempted(batch, 1, "parked")
    world.attempted(batch, 1, "delivered")
    code, out, _ = world.trace(event)
    assert code == 0
    assert out.count("attempt 1 at") == 2
    assert " and 2 more until " in out


def test_a_part_of_a_batch_has_its_own_fate(world: World) -> None:
    event = world.emitted()
    world.in_force()
    batch = world.batched()
    world.attempted(batch, 1, "split", 7, 8)
    world.attempted(batch, 1, "delivered", 8, 8)
    assert world.told(event)["state"] == "split"
    world.attempted(batch, 2, "delivered", 7, 7)
    assert world.told(event)["state"] == "delivered"


def test_what_was_not_collected_is_told_with_the_remedy(world: World) -> None:
    event = world.emitted()
    world.stream = stream_name(DESTINATION, HOME, stream_epoch("e", 2, world.now))
    world.in_force(offset=2)
    later = world.told(event)
    assert later["state"] == "not-in-force"
    assert f"auditcast destinations backfill {DESTINATION} --since" in later["sentence"]
    disabled = Revision(
        destination=DESTINATION, number=2, nonce="n", state="disabled", changed_at=0, workspace=WORKSPACE, epoch="e"
    )
    world.in_force(offset=0, revision=disabled, gap_from=world.now)
    assert world.told(event)["state"] == "disabled"
    world.in_force(offset=0, revision=replace(disabled, number=3, state="active", entitled=False), gap_from=world.now)
    assert world.told(event)["state"] == "not-entitled"
    world.in_force(offset=0, revision=replace(world.revision, number=4, categories=["auth"]))
    assert world.told(event)["state"] == "filtered"


def test_a_refused_event_is_told_with_its_reason(world: World) -> None:
    world.in_force()
    world.write(world.topics.events, b"", partition=HOME)
    offset = world.write(world.topics.events, b'{"id":"aud_broken"', WORKSPACE)
    code, out, err = world.trace("aud_broken", "--workspace", WORKSPACE)
    assert code == 0, err
    assert "refused: " in out
    event = world.emitted()
    place = f"{world.topics.events}/{HOME}@{offset + 2}/{DESTINATION}"
    letter = DeadLetter(
        topic=world.topics.events, partition=HOME, offset=offset + 2, at=1, reason="too-large", detail="900 kB",
        destination=DESTINATION,
    )  # fmt: skip
    world.write(world.topics.dead_letters, encode(letter), place)
    told = world.told(event)
    assert (told["state"], told["dead_letters"][0]["reason"]) == ("refused", "too-large")


def test_every_form_of_an_event_is_found_wherever_it_lies(world: World) -> None:
    world.in_force()
    event = AuditEvent(
        id="evt-1", workspace=WORKSPACE, category="a", action="b", actor_id="u", actor_type="user", occurred_at=0
    )
    wrong = (HOME + 1) % PARTITIONS
    world.write(world.topics.events, encode(event), partition=wrong)
    assert world.told("evt-1")["state"] == "misplaced"
    attributes = {"id": "evt-2", "specversion": "1.0", "type": "t", "source": "s", "time": "2025-01-15T10:30:00.000Z"}
    headers = [(f"ce_{name}", value.encode()) for name, value in attributes.items()]
    headers += [("content-type", b"application/json"), ("ce_workspaceid", WORKSPACE.encode())]
    data = {"actor": {"id": "u", "type": "user"}, "action": {"category": "a", "action": "b"}}
    world.write(world.topics.events, json.dumps(data).encode(), WORKSPACE, headers=headers)
    code, out, _ = world.trace("evt-2")
    assert code == 0
    assert "binary mode" in out
    assert f"workspace {WORKSPACE}" in out


@pytest.mark.parametrize("args", [["aud_x"], ["aud_x", "--workspace", WORKSPACE, "--since", "1h"]])
def test_what_is_not_there_gets_one_sentence(world: World, args: list[str]) -> None:
    world.emitted()
    code, out, err = world.trace(*args)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "holds no event 'aud_x'" in err
    assert ("without --workspace" in err) == (len(args) > 1)
