"""Nothing is lost and nothing stays behind, whatever receivers, people and other owners do while batches are parked."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditcast.deliverers import parking, telling
from auditcast.kafka.names import Topics
from tests.properties.parking import World
from tests.unit.deliverers.parcels import batch, parcel

SIZE = parcel(batch()).size
destination = st.sampled_from(["dst_1", "dst_2", "dst_3"])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("batches"), destination, st.integers(1, 12)),
        st.tuples(st.just("work"), st.none(), st.integers(5, 100)),
        st.tuples(st.sampled_from(["down", "up", "pause", "resume", "cut off", "garbage"]), destination, st.none()),
        st.tuples(st.sampled_from(["hand over", "stall"]), st.none(), st.none()),
    ),
    min_size=10,
    max_size=60,
)


@pytest.fixture(autouse=True)
def _impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parking, "LOOK_S", 0.002)
        patch.setattr(telling, "EVERY_S", 0.002)
        yield


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps, seed=st.integers(0, 2**32), budget=st.integers(10, 100))
async def test_every_batch_arrives_or_is_a_dead_letter(
    steps: list[tuple[str, str | None, int | None]], seed: int, budget: int
) -> None:
    world = World(seed, budget * SIZE)
    for step, who, count in steps:
        match step, who, count:
            case "batches", str(), int():
                world.batches(who, count)
            case "work", _, int():
                await world.work(count)
            case "down", str(), _:
                world.receivers.down.add(who)
            case "up", str(), _:
                world.receivers.down.discard(who)
                world.receivers.cut_off.discard(who)
            case "cut off", str(), _:
                world.receivers.cut_off.add(who)
            case "garbage", str(), _:
                world.garbage(who)
            case "pause" | "resume", str(), _:
                world.change(who, paused=step == "pause")
            case "hand over", _, _:
                await world.hand_over()
            case "stall", _, _:
                await world.stall()
    finished = await world.finish()
    await world.dispatcher.stop()
    assert world.errors == []
    assert finished, (world.broker.markers(), world.receivers.taken)
    letters = {record.key.decode() for record in world.broker.logs[Topics().dead_letters]}
    assert set(world.receivers.taken) | letters >= set(world.sent)
