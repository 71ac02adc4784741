"""The reader against a real broker: what may be committed, what is paused, what a rebalance ends."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition

from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.reader import Reader, Settled
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.records import Delivery
from auditcast.schemas.wire import encode
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import until
from tests.unit.deliverers.parcels import batch

EACH = 5


class Member:
    """A reader as a test drives it. `finishing` is settled while its claims are being revoked."""

    def __init__(self, connection: Connection) -> None:
        self.parcels: list[Parcel] = []
        self.claims: list[Claim] = []
        self.finishing: list[Settled] = []
        self.reader = Reader(connection, Metrics(), assigned=lambda _: None, revoking=self._revoking)

    def read(self, settled: list[Settled] | None = None, *, held: frozenset[Claim] | None = frozenset()) -> None:
        self.parcels += self.reader.read(0.05, settled or [], held)

    def reads(self, count: int) -> bool:
        """Read once; whether it has `count` parcels now."""
        self.read()
        return len(self.parcels) >= count

    def _revoking(self, claims: list[Claim]) -> list[Settled]:
        self.claims = claims
        return self.finishing


@pytest.fixture
def topics_with_batches(topics: Connection) -> Connection:
    """`EACH` batches in each partition."""
    producer = clients.producer(topics)
    for partition in range(PARTITIONS):
        for number in range(EACH):
            producer.produce(Topics(topics.topic_prefix).batches, encode(batch(sequence=number)), partition=partition)
    producer.flush()
    return topics


@pytest.fixture
def member(topics_with_batches: Connection) -> Iterator[Member]:
    made = Member(topics_with_batches)
    until(lambda: made.reads(EACH * PARTITIONS), "all batches")
    yield made
    made.reader.close()


def _committed(connection: Connection) -> dict[int, int]:
    topics = Topics(connection.topic_prefix)
    consumer = clients.member(connection, topics.deliverer_group)
    try:
        places = consumer.committed([TopicPartition(topics.batches, number) for number in range(PARTITIONS)], 10)
    finally:
        consumer.close()
    return {place.partition: max(place.offset, 0) for place in places}


def _settled(parcels: list[Parcel], *offsets: int) -> list[Settled]:
    return [(each.claim, each.offset) for each in parcels if each.offset in offsets]


def test_the_contiguous_prefix_is_committed_and_what_settles_last_too(
    member: Member, topics_with_batches: Connection
) -> None:
    member.read(_settled(member.parcels, 0, 1, 3))
    member.finishing = _settled(member.parcels, 2)
    member.reader.close()
    assert _committed(topics_with_batches) == dict.fromkeys(range(PARTITIONS), 4)


def test_what_settles_after_its_partition_was_revoked_is_not_committed(
    member: Member, topics_with_batches: Connection
) -> None:
    late = _settled(member.parcels, *range(EACH))
    other = Member(topics_with_batches)

    def both_read() -> bool:
        other.read()
        return member.reads(EACH * PARTITIONS + 1) and bool(other.parcels)

    until(both_read, "the rebalance, after which both read again")
    assert not any(claim.live for claim, _ in late)
    member.read(late)
    other.reader.close()
    member.reader.close()
    assert _committed(topics_with_batches) == dict.fromkeys(range(PARTITIONS), 0)


def test_a_held_partition_is_paused_and_goes_on_where_it_stood(member: Member, topics_with_batches: Connection) -> None:
    claim = member.parcels[0].claim
    member.read(held=frozenset({claim}))
    topics = Topics(topics_with_batches.topic_prefix)
    producer = clients.producer(topics_with_batches)
    for partition in range(PARTITIONS):
        producer.produce(topics.batches, encode(batch()), partition=partition)
    producer.flush()
    before = len(member.parcels)

    def others_came() -> bool:
        member.read(held=frozenset({claim}))
        return len(member.parcels) == before + PARTITIONS - 1

    until(others_came, "the batches of the other partitions")
    assert claim not in {each.claim for each in member.parcels[before:]}
    until(lambda: member.reads(before + PARTITIONS), "the batch held back")
    assert (member.parcels[-1].claim, member.parcels[-1].offset) == (claim, EACH)


def test_a_record_that_is_no_batch_is_a_parcel_with_a_problem(member: Member, topics_with_batches: Connection) -> None:
    producer = clients.producer(topics_with_batches)
    for value in (b"nonsense", None, encode(batch())[:-1]):
        producer.produce(Topics(topics_with_batches.topic_prefix).batches, value, headers={"h": b"v"}, partition=0)
    producer.flush()
    before = len(member.parcels)
    until(lambda: member.reads(before + 3), "the three records")
    for each in member.parcels[before:]:
        assert each.batch is None
        assert each.problem
        assert each.headers == [("h", b"v")]
        assert each.lane == ""


def test_a_retry_is_read_when_its_head_is_due_and_in_order(member: Member, topics_with_batches: Connection) -> None:
    topics = Topics(topics_with_batches.topic_prefix)
    producer = clients.producer(topics_with_batches)
    due = int(time.time() * 1000) + 1500
    for number, not_before in enumerate((0, due, 0, due)):
        delivery = encode(Delivery(offset=number, not_before=not_before))
        headers: list[tuple[str, str | bytes | None]] = [(HEADER, delivery), ("h", b"v")]
        producer.produce(topics.retries[0], encode(batch(sequence=number)), partition=1, headers=headers)
    producer.flush()
    before = len(member.parcels)
    until(lambda: member.reads(before + 1), "the first, which is due")
    until(lambda: member.reads(before + 4), "the others")
    assert int(time.time() * 1000) >= due
    retried = member.parcels[before:]
    assert [each.delivery.offset for each in retried] == [0, 1, 2, 3]
    assert {each.claim.source for each in retried} == {Source.RETRY}
    assert retried[0].headers == [("h", b"v")]
    # What is due later holds up nobody else.
    late: list[tuple[str, str | bytes | None]] = [(HEADER, encode(Delivery(not_before=2**42)))]
    producer.produce(topics.retries[0], encode(batch()), partition=1, headers=late)
    producer.produce(topics.batches, encode(batch()), partition=1)
    producer.flush()
    until(lambda: member.reads(before + 5), "the batch beside it")
    assert member.parcels[-1].claim.source is Source.BATCHES
