"""What could keep a backlog for ever, or a loop busy for nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from auditcast.deliverers import parking, standing, telling
from auditcast.deliverers.account import Account
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parked import Found
from auditcast.deliverers.shards import Shard, marker_key, released_key
from auditcast.deliverers.standing import FIRST_PROBE_S, OPEN_AFTER
from auditcast.schemas.records import Attempt, Note
from auditcast.schemas.wire import decode_as, encode
from tests.properties.parking import STAMPED, TOPICS, World
from tests.unit.deliverers.parcels import batch, parcel

FAILURE = Outcome(reason="status-500", verdict=Verdict.RETRY, attempt=Attempt(at=1, latency_ms=1, status=500))
UNSENT = Outcome(reason="proxy-unreachable", verdict=Verdict.RETRY)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(parking, "LOOK_S", 0.002)
    monkeypatch.setattr(telling, "EVERY_S", 0.002)
    made = World(0, 10**6)
    yield made
    await made.dispatcher.stop()
    assert made.errors == []


async def _until(world: World, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await world.work(1)


def _parked(world: World) -> int:
    return len(world.broker.logs[TOPICS.parked])


async def test_what_is_parked_and_cannot_be_read_is_a_dead_letter_and_stops_nobody(world: World) -> None:
    world.change("dst_1", paused=True)
    world.batches("dst_1", 1)
    await _until(world, lambda: _parked(world) == 1)
    world.garbage("dst_1")
    world.batches("dst_1", 1)
    await _until(world, lambda: _parked(world) == 3)
    world.change("dst_1", paused=False)
    await _until(world, lambda: bool(world.receivers.taken) and not world.broker.markers())
    assert world.receivers.taken == ["dst_1-1", "dst_1-2"]
    assert [record.key for record in world.broker.logs[TOPICS.dead_letters]] == [b"audit.batches.parked/0@1"]


async def test_a_pause_keeps_the_order_of_what_waits_for_a_receiver_that_is_overrun(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "FIRST_PACE_S", 1000)
    monkeypatch.setattr(standing, "SLOWEST_PACE_S", 1000)
    world.receivers.overrun.add("dst_1")
    world.batches("dst_1", 3)
    await _until(world, lambda: bool(world.broker.logs[TOPICS.retries[0]]))
    await world.work(20)
    world.change("dst_1", paused=True)
    await _until(world, lambda: _parked(world) == 3)
    first, *others = (encode(batch("dst_1", number)) for number in (1, 2, 3))
    assert [record.value for record in world.broker.logs[TOPICS.parked] if record.value != first] == others


async def test_what_expired_in_a_pause_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.change("dst_1", paused=True)
    world.batches("dst_1", 2)
    await _until(world, lambda: _parked(world) == 2 and len(world.broker.markers()) == 1)

    async def read(self: object, wanted: Mapping[int, int], wait_s: float) -> Found:
        await asyncio.sleep(0)
        return Found([], {0: 2})

    monkeypatch.setattr("tests.properties.parking.FakeParkedReader.read", read)
    world.change("dst_1", paused=False)
    await _until(world, lambda: not world.broker.markers())


async def test_deliveries_to_others_do_not_have_what_waits_looked_through(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "LOOK_S", 1000)
    world.change("dst_1", paused=True)
    world.batches("dst_1", 1)
    await _until(world, lambda: len(world.broker.markers()) == 1)
    await world.work(20)
    looks = _looks(world, monkeypatch)
    world.batches("dst_2", 20)
    await _until(world, lambda: len(world.receivers.taken) == 20)
    assert looks == []


async def test_a_look_that_takes_long_is_followed_by_a_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rests, sleep = [], asyncio.sleep

    async def sleep_no_more(delay: float) -> None:
        rests.append(delay)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep_no_more)
    _looks(world, monkeypatch, taking_s=2 * parking.LONG_S)
    await _until(world, lambda: any(rest >= 2 * parking.LONG_S * parking.RESTS for rest in rests))


def _looks(world: World, monkeypatch: pytest.MonkeyPatch, taking_s: float = 0) -> list[Shard]:
    """Each look at the backlogs of a shard from now on."""
    looks: list[Shard] = []

    def plan(shard: Shard, now: float) -> None:
        looks.append(shard)
        time.sleep(taking_s)

    monkeypatch.setattr(world.dispatcher._parking, "_plan", plan)
    return looks


def test_each_owner_in_turn_goes_on_where_the_one_before_has_come_to() -> None:
    past = {marker_key("dst_1", offset): b"" for offset in (10, 116, 373)}
    for came_to, begin in (((0, 5), 10), ((10, 112), 113), ((113, 369), 370), ((370, 505), 506)):
        past[released_key("dst_1", came_to)] = b""
        shard = Shard(0, TOPICS.parked, 60)
        for outdated in shard.begin(past):
            del past[outdated]
        assert shard.backlogs["dst_1"].backlog.first == begin
    assert released_key("dst_1", (0, 5)) not in past, "it lies before all that is known to be parked"


def test_a_probe_that_could_not_be_sent_is_not_made_again_at_once() -> None:
    account, each = Account("dst_1", 0, 60, None), parcel(batch())
    account.attempted(each, [Piece(0, 0, UNSENT)], 0)
    assert not account.standing.open
    for _ in range(OPEN_AFTER):
        account.attempted(each, [Piece(0, 0, FAILURE)], 0)
    now = FIRST_PROBE_S
    assert account.standing.may_probe(now)
    account.attempted(each, [Piece(0, 0, UNSENT)], now)
    assert account.standing.open
    assert not account.standing.may_probe(now + FIRST_PROBE_S)
    assert account.standing.may_probe(now + 60)


def _noted(world: World) -> list[int]:
    """Which batches are noted as expired."""
    return [decode_as(Note, record.value or b"").sequence for record in world.broker.logs[TOPICS.events]]


async def test_what_was_parked_for_too_long_is_noted_and_given_up_and_the_rest_delivered(world: World) -> None:
    world.change("dst_1", paused=True)
    world.batches("dst_1", 5)
    await _until(world, lambda: _parked(world) == 5)
    world.dispatcher.expire(STAMPED + 3)
    await _until(world, lambda: len(_noted(world)) == 3)
    await world.work(50)
    assert sorted(_noted(world)) == [1, 2, 3]
    await world.hand_over()  # whose successor finds none of them
    await _until(world, lambda: world.dispatcher.owned() == [0])
    world.dispatcher.expire(STAMPED + 3)
    await world.work(50)
    world.change("dst_1", paused=False)
    await _until(world, lambda: len(world.receivers.taken) == 2)
    assert world.receivers.taken == ["dst_1-4", "dst_1-5"]
    assert len(_noted(world)) == 3


async def test_nothing_is_given_up_that_can_be_sent(world: World) -> None:
    world.change("dst_1", paused=True)
    world.batches("dst_1", 2)
    await _until(world, lambda: _parked(world) == 2)
    world.paused.clear()
    world.dispatcher.expire(STAMPED + 9)
    await _until(world, lambda: len(world.receivers.taken) == 2)
    assert _noted(world) == []


async def test_who_died_before_a_note_was_durable_leaves_the_batch_to_the_next(world: World) -> None:
    world.change("dst_1", paused=True)
    world.batches("dst_1", 1)
    await _until(world, lambda: _parked(world) == 1 and len(world.broker.markers()) == 1)
    stuck = asyncio.Event()

    async def never(_note: Note, _partition: int) -> None:
        await stuck.wait()

    world.dispatcher._note = never  # type: ignore[method-assign,assignment]  # a broker that acknowledges nothing
    world.dispatcher.expire(STAMPED + 9)
    await world.work(50)
    await world.hand_over()
    await _until(world, lambda: world.dispatcher.owned() == [0])
    world.dispatcher.expire(STAMPED + 9)
    await _until(world, lambda: _noted(world) == [1] and not world.broker.markers())
