"""Backfills against a broker: going on after an interruption, and never the same event twice."""

import time
from typing import Any

import pytest

from auditcast.console.demo.batches import Batches
from auditcast.console.in_force import Standing
from auditcast.console.outlet import Outlet
from auditcast.console.refilling import CHECKPOINT, Asked, Done, Refilling
from auditcast.console.scanning import Scan
from auditcast.kafka import clients
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.processors.keys import Keys
from auditcast.processors.state import revision_key
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.chain import GENESIS, stream_epoch, stream_name
from auditcast.schemas.manifests import text
from auditcast.schemas.records import Batch, Manifest, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, genuine, new_signing_key
from auditcast.schemas.wire import decode_as, encode
from tests.conftest import PARTITIONS

WITHIN_S = 30
WORKSPACE, EVENTS, PER_BATCH = "ws_1", 600, 5
HOME = partition_of(WORKSPACE, PARTITIONS)
REVISION = Revision(
    destination="dst_1", number=1, nonce="n", state="active", changed_at=0, workspace=WORKSPACE, epoch="e",
    window_events=PER_BATCH,
)  # fmt: skip
SEALER, SIGNER = Sealer([new_key()]), Signer([new_signing_key()])


class Interrupted(Exception):
    """Somebody pressed Ctrl-C."""


class Interruptible(Outlet):
    """Takes `left` more batches."""

    left = -1

    def batch(self, batch: Batch) -> None:
        if self.left == 0:
            raise Interrupted
        self.left -= 1
        super().batch(batch)


class Pipeline:
    """Events of a workspace, stamped a second apart, and after them a destination that comes into force."""

    def __init__(self, connection: Connection, *, broker_time: bool) -> None:
        self.connection = connection
        self.topics = Topics(connection.topic_prefix)
        self.began = time.time_ns() // 1_000_000 - 2 * EVENTS * 1000
        self._broker_time = broker_time
        producer = clients.producer(connection)
        with MemoryAuditLog() as log:
            fields: dict[str, Any] = {"category": "lock", "action": "created", "actor": {"id": "u", "type": "user"}}
            self.ids = [log.emit(workspace=WORKSPACE, **fields) for _ in range(EVENTS)]
            for number, value in enumerate(log.values):
                at = 0 if broker_time else self.began + 1000 * number
                producer.produce(self.topics.events, value, WORKSPACE, HOME, timestamp=at)
                if number % 100 == 99:
                    producer.flush(WITHIN_S)  # so that a broker that stamps them itself does so at several times
        producer.produce(self.topics.events, b"", partition=HOME)
        stream = stream_name("dst_1", HOME, stream_epoch("e", EVENTS, 1))
        entry = RevisionInForce(offset=EVENTS, timestamp=1, stream=stream, revision=REVISION)
        producer.produce(self.topics.links, encode(entry), revision_key("dst_1", EVENTS), HOME)
        producer.flush(WITHIN_S)

    def times(self) -> list[int]:
        """When each event was stamped."""
        with Scan(self.connection, self.topics.events) as scan:
            return [message.timestamp()[1] for message in scan.messages({HOME: 0})][:EVENTS]

    def backfill(self, since: int, left: int = -1) -> list[Done]:
        """As the command does it."""
        outlet = Interruptible(self.connection)
        outlet.left = left
        asked = Asked(since=since, until=None, now=0)
        with Standing(self.connection, "dst_1") as standing, Scan(self.connection, self.topics.events) as scan:
            standing.wait(REVISION, [HOME], WITHIN_S)
            refilling = Refilling(scan, standing, Keys(SEALER, SIGNER))
            try:
                return [refilling.run(each, outlet, lambda _: None) for each in refilling.plan(asked, [HOME]).backfills]
            finally:
                outlet.flush()

    def manifests(self) -> list[Manifest]:
        """All that were put on record."""
        with Scan(self.connection, self.topics.manifests) as scan:
            found = list(scan.messages(dict.fromkeys(scan.bounds, 0)))
        return [decode_as(Manifest, message.value() or b"") for message in found]

    def batches(self) -> list[Batch]:
        """All that was appended."""
        with Scan(self.connection, self.topics.batches) as scan:
            found = list(scan.messages(dict.fromkeys(scan.bounds, 0)))
        return [decode_as(Batch, message.value() or b"") for message in found]


@pytest.fixture
def pipeline(topics: Connection, broker: Broker) -> Pipeline:
    return Pipeline(topics, broker_time=broker.broker_time)


def account(batches: list[Batch]) -> Batches:
    taken = Batches()
    for batch in batches:
        taken.take(encode(batch))
    return taken


def test_what_was_interrupted_goes_on_as_if_it_had_not_been(pipeline: Pipeline) -> None:
    total = EVENTS // PER_BATCH
    with pytest.raises(Interrupted):
        pipeline.backfill(0, left=CHECKPOINT + 20)
    (done,) = pipeline.backfill(0)
    assert done.resumed
    assert done.batches == total - CHECKPOINT
    batches = pipeline.batches()
    taken = account(batches)
    assert not taken.faults
    assert not taken.missing
    assert (taken.count, taken.repeated) == (total, 20)
    assert pipeline.backfill(0) == []
    assert len(pipeline.batches()) == len(batches)
    (manifest,) = pipeline.manifests()
    assert manifest.stream == batches[-1].stream
    assert (manifest.first_sequence, manifest.last_sequence, manifest.last_event) == (1, total, EVENTS)
    assert (manifest.opening_digest, manifest.closing_digest) == (GENESIS, batches[-1].digest)
    assert manifest.final
    assert genuine(SIGNER.public_keys[0], text(manifest), manifest.signature)


def test_an_event_is_in_no_two_backfills(pipeline: Pipeline) -> None:
    times = pipeline.times()
    late, early = times[400], times[150]
    wanted = [sum(at >= late for at in times), sum(early <= at < late for at in times)]
    done = pipeline.backfill(late) + pipeline.backfill(early)
    assert [each.events for each in done] == [count for count in wanted if count]
    assert pipeline.backfill(late) == []
    taken = account(pipeline.batches())
    assert not taken.faults
    assert taken.repeated == 0
    assert sum(chain.last_event for chain in taken.chains.values()) == sum(wanted)
