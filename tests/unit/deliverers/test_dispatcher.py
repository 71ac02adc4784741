"""The shell around the lanes: what is settled when, what is parked, and what a dead claim's work may still do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from auditcast.deliverers.dispatcher import Dispatcher, Past
from auditcast.deliverers.fate import FATES, Append, Policy
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.standing import OPEN_AFTER
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, Delivery, Note, Status
from auditcast.schemas.wire import decode_as
from tests.properties.parking import Broker, FakeParkedReader
from tests.unit.deliverers.parcels import batch, parcel

TOPICS = Topics()
ATTEMPT = Attempt(at=int(time.time() * 1000), latency_ms=1, status=500)
FAILURE = Outcome(reason="status-500", verdict=Verdict.RETRY, attempt=ATTEMPT)
SUCCESS = Outcome(reason=None, verdict=Verdict.DELIVERED, attempt=ATTEMPT)


class World:
    """A courier and an outbox that end what a test lets end."""

    def __init__(self) -> None:
        self.deliveries: dict[int, asyncio.Future[Outcome]] = {}
        self.begun: list[int] = []
        self.appended: list[Append] = []
        self.posted: list[Append] = []
        self.acknowledged = asyncio.Event()
        self.errors: list[BaseException] = []
        self.paused: set[str] = set()
        self.metrics = Metrics()
        self.claim = Claim(TOPICS.batches, 0)
        self.past: dict[bytes, bytes] = {}
        self.dispatcher = Dispatcher(
            Lanes(10**6),
            Policy(TOPICS, (10**6,) * 5, 10**9),
            FakeParkedReader(Broker()),  # type: ignore[arg-type]  # it is like one
            probe_s=60,
            deliver=self._deliver,
            append=self._append,
            post=self.posted.append,
            report=self.posted.append,
            halted=self.paused.__contains__,
            past=self._past,
            metrics=self.metrics,
            note=self._note,
            failed=self.errors.append,
        )

    async def _note(self, note: Note, partition: int) -> None:
        raise AssertionError

    async def assign(self) -> None:
        """The claim begins."""
        self.dispatcher.assigned([self.claim])
        assert self.dispatcher.held() == {self.claim}
        await _until(lambda: self.dispatcher.held() == frozenset())

    def arrive(self, *offsets: int, destination: str = "dst_1", claim: Claim | None = None) -> None:
        """Batches of one destination arrive, at these offsets."""
        for offset in offsets:
            self.deliveries[offset] = asyncio.get_running_loop().create_future()
        claim = claim or self.claim
        self.dispatcher.receive([parcel(batch(destination, offset), offset, claim) for offset in offsets])

    async def fail(self, *offsets: int) -> None:
        """These attempts fail, one after the other."""
        for offset in offsets:
            await _until(lambda offset=offset: offset in self.begun)  # type: ignore[misc]  # bound at once
            self.deliveries[offset].set_result(FAILURE)

    def parked(self) -> list[int]:
        """Where what was parked lay in the topic of batches, in order."""
        found = [dict(record.headers)[HEADER] for record in self.appended if record.topic == TOPICS.parked]
        return [decode_as(Delivery, value).offset for value in found]

    async def _deliver(self, each: Parcel) -> list[Piece]:
        self.begun.append(each.offset)
        return [Piece(0, 0, await self.deliveries[each.offset])]

    async def _append(self, record: Append) -> int:
        self.appended.append(record)
        await self.acknowledged.wait()
        return len(self.appended)

    async def _past(self, partitions: list[int]) -> Past:
        return dict.fromkeys(partitions, self.past)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    await made.assign()
    yield made
    await made.dispatcher.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  (what is awaited has no event)
            await asyncio.sleep(0)


async def test_one_at_a_time_within_a_destination_all_at_once_between_them(world: World) -> None:
    world.arrive(1, 2)
    world.arrive(3, destination="dst_2")
    await _until(lambda: world.begun == [1, 3])
    world.deliveries[1].set_result(SUCCESS)
    await _until(lambda: world.begun == [1, 3, 2])
    assert world.dispatcher.settled() == [(world.claim, 1)]
    assert world.dispatcher.settled() == []


async def test_a_failure_is_settled_only_by_its_acknowledged_copy(world: World) -> None:
    world.arrive(1, 2)
    world.deliveries[1].set_result(FAILURE)
    await _until(lambda: len(world.appended) == 1)
    assert world.appended[0].topic == TOPICS.retries[0]
    assert world.dispatcher.settled() == []
    assert world.begun == [1]
    world.acknowledged.set()
    await _until(lambda: world.begun == [1, 2])
    assert world.dispatcher.settled() == [(world.claim, 1)]


async def test_what_ends_within_the_grace_of_a_release_is_settled(world: World) -> None:
    world.acknowledged.set()
    world.arrive(1, 2)
    await _until(lambda: world.begun == [1])
    release = asyncio.create_task(world.dispatcher.release([world.claim], 10))
    await asyncio.sleep(0)
    world.deliveries[1].set_result(SUCCESS)
    assert await release == [(world.claim, 1)]
    assert world.begun == [1]  # what waited is the next owner's
    (told,) = [decode_as(Status, record.value or b"") for record in world.appended if record.topic == TOPICS.status]
    assert [(one.stream, one.sequence) for one in told.delivered] == [("dst_1", 1)]


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
async def test_what_ends_under_a_dead_claim_has_no_consequences(world: World, outcome: Outcome) -> None:
    world.arrive(1)
    await _until(lambda: world.begun == [1])
    assert await world.dispatcher.release([world.claim], 0) == []
    dead, world.claim = world.claim, Claim(TOPICS.batches, 0)
    dead.live = False
    await world.assign()
    # The same process gets the partition back, and reads the batch again: it waits for the request in flight.
    world.arrive(2)
    assert world.begun == [1]
    world.deliveries[1].set_result(outcome)
    await _until(lambda: world.begun == [1, 2])
    assert world.appended == []
    assert world.dispatcher.settled() == []


async def test_what_is_learnt_of_a_partition_that_is_given_up_has_no_consequences(world: World) -> None:
    world.past = {b"released/dst_1@0-5": b""}
    world.dispatcher.assigned([world.claim])
    await world.dispatcher.release([world.claim], 0)
    for _ in range(5):
        await asyncio.sleep(0)
    assert world.posted == []
    await world.assign()
    await _until(lambda: [record.key for record in world.posted] == [b"released/dst_1@0-5"])


async def test_parcels_of_a_dead_claim_are_not_begun(world: World) -> None:
    world.claim.live = False
    world.arrive(1)
    await asyncio.sleep(0)
    assert world.begun == []


async def test_a_fault_of_our_own_settles_nothing_and_is_told(world: World) -> None:
    world.arrive(1, 2)
    fault = KeyError()
    world.deliveries[1].set_exception(fault)
    await _until(lambda: world.errors == [fault])
    assert world.dispatcher.settled() == []
    assert world.begun == [1]


async def test_one_that_keeps_failing_is_parked_unasked_but_for_its_retries(world: World) -> None:
    world.acknowledged.set()
    world.arrive(*range(1, OPEN_AFTER + 3))
    await world.fail(*range(1, OPEN_AFTER + 1))
    await _until(lambda: len(world.parked()) == 2)  # what waited in the lane
    world.arrive(OPEN_AFTER + 3)
    await _until(lambda: len(world.parked()) == 3)
    assert world.parked() == [OPEN_AFTER + 1, OPEN_AFTER + 2, OPEN_AFTER + 3]
    assert world.begun == list(range(1, OPEN_AFTER + 1))
    retry = Claim(TOPICS.retries[0], 0, Source.RETRY)
    world.arrive(99, claim=retry)
    await _until(lambda: world.begun[-1] == 99)


async def test_what_is_parked_is_settled_only_under_a_marker(world: World) -> None:
    world.paused.add("dst_1")
    world.arrive(1, 2)
    await _until(lambda: len(world.appended) == 2)
    assert world.dispatcher.settled() == []
    world.acknowledged.set()
    await _until(lambda: len(world.appended) == 3)
    assert world.appended[2].key == b"parked/dst_1@2"
    await asyncio.sleep(0)
    await _until(lambda: world.dispatcher.settled() == [(world.claim, 1), (world.claim, 2)])
    assert world.begun == []


async def test_a_pause_parks_what_waits_in_the_lane_before_what_comes(world: World) -> None:
    world.acknowledged.set()
    world.arrive(1, 2, 3)
    await _until(lambda: world.begun == [1])
    world.paused.add("dst_1")
    world.dispatcher.changed("dst_1")
    world.arrive(4)
    world.deliveries[1].set_result(SUCCESS)
    await _until(lambda: len(world.parked()) == 3)
    assert world.parked() == [2, 3, 4]
    assert world.begun == [1]


async def test_what_follows_from_attempts_is_counted(world: World) -> None:
    world.acknowledged.set()
    dead = Outcome(reason="status-404", verdict=Verdict.DEAD, attempt=ATTEMPT)
    for offset, outcome in enumerate([SUCCESS, FAILURE, dead], 1):
        world.arrive(offset)
        world.deliveries[offset].set_result(outcome)
        await _until(lambda: world.dispatcher.settled() != [])
    value = world.metrics.registry.get_sample_value
    counted = {fate: value("auditcast_deliverer_attempts_total", {"fate": fate}) for fate in FATES}
    assert {fate: number for fate, number in counted.items() if number} == {
        "delivered": 1,
        "retry-1": 1,
        "dead-letter": 1,
    }
    assert value("auditcast_deliverer_dead_letters_total", {"reason": "status-4xx"}) == 1
    assert value("auditcast_deliverer_delay_seconds_count") == 1


async def test_what_cannot_be_read_is_counted_among_the_dead_letters(world: World) -> None:
    world.acknowledged.set()
    world.deliveries[1] = asyncio.get_running_loop().create_future()
    world.deliveries[1].set_result(Outcome(reason="unreadable", verdict=Verdict.DEAD))
    world.dispatcher.receive([parcel(None, 1, world.claim)])
    await _until(lambda: world.dispatcher.settled() != [])
    dead = world.metrics.registry.get_sample_value("auditcast_deliverer_dead_letters_total", {"reason": "unreadable"})
    assert dead == 1
