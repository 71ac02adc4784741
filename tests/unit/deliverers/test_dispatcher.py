"""The shell around the lanes: what is settled when, and what a dead claim's work may still do."""

import asyncio
from collections.abc import Callable

import pytest

from auditcast.deliverers.dispatcher import Dispatcher
from auditcast.deliverers.fate import Append
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.outcomes import Outcome
from auditcast.deliverers.parcels import Claim, Parcel
from auditcast.kafka.names import Topics
from tests.unit.deliverers.parcels import batch, parcel

FAILURE = Outcome(reason="status-500")
SUCCESS = Outcome(reason=None)


class World:
    """A courier and an outbox that end what a test lets end."""

    def __init__(self) -> None:
        self.deliveries: dict[int, asyncio.Future[Outcome]] = {}
        self.begun: list[int] = []
        self.appended: list[Append] = []
        self.acknowledged = asyncio.Event()
        self.errors: list[BaseException] = []
        self.claim = Claim("audit.batches", 0)
        self.dispatcher = Dispatcher(
            Lanes(10**6),
            Topics(),
            deliver=self._deliver,
            append=self._append,
            failed=self.errors.append,
        )

    def arrive(self, *offsets: int, destination: str = "dst_1") -> None:
        """Batches of one destination arrive, at these offsets."""
        for offset in offsets:
            self.deliveries[offset] = asyncio.get_running_loop().create_future()
        self.dispatcher.receive([parcel(batch(destination, offset), offset, self.claim) for offset in offsets])

    async def _deliver(self, each: Parcel) -> Outcome:
        self.begun.append(each.offset)
        return await self.deliveries[each.offset]

    async def _append(self, record: Append) -> None:
        self.appended.append(record)
        await self.acknowledged.wait()


@pytest.fixture
async def world() -> World:
    return World()


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


async def test_a_failure_is_settled_only_by_its_acknowledged_dead_letter(world: World) -> None:
    world.arrive(1, 2)
    world.deliveries[1].set_result(FAILURE)
    await _until(lambda: len(world.appended) == 1)
    assert world.dispatcher.settled() == []
    assert world.begun == [1]
    world.acknowledged.set()
    await _until(lambda: world.begun == [1, 2])
    assert world.dispatcher.settled() == [(world.claim, 1)]


async def test_what_ends_within_the_grace_of_a_release_is_settled(world: World) -> None:
    world.arrive(1, 2)
    await _until(lambda: world.begun == [1])
    release = asyncio.create_task(world.dispatcher.release([world.claim], 10))
    await asyncio.sleep(0)
    world.deliveries[1].set_result(SUCCESS)
    assert await release == [(world.claim, 1)]
    assert world.begun == [1]  # what waited is the next owner's


@pytest.mark.parametrize("outcome", [SUCCESS, FAILURE])
async def test_what_ends_under_a_dead_claim_has_no_consequences(world: World, outcome: Outcome) -> None:
    world.arrive(1)
    await _until(lambda: world.begun == [1])
    assert await world.dispatcher.release([world.claim], 0) == []
    dead, world.claim = world.claim, Claim("audit.batches", 0)
    dead.live = False
    # The same process gets the partition back, and reads the batch again: it waits for the request in flight.
    world.arrive(2)
    assert world.begun == [1]
    world.deliveries[1].set_result(outcome)
    await _until(lambda: world.begun == [1, 2])
    assert world.appended == []
    assert world.dispatcher.settled() == []


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
