"""Lanes keep each destination's order, one parcel in flight, and count every byte."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from auditcast.deliverers.lanes import ENOUGH, FOR_LANES, HOLD_S, SHARE, SLOW_S, Lanes
from auditcast.deliverers.parcels import Claim, Parcel
from tests.unit.deliverers.parcels import batch, parcel

SIZE = parcel(batch()).size
BUDGET = 12 * SIZE
NOW = 1000.0

moves = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abc"), st.booleans()),
        st.tuples(st.just("work"), st.sampled_from("abc"), st.none()),
        st.tuples(st.just("revoke"), st.integers(0, 1), st.none()),
    ),
    max_size=80,
)


@given(moves)
def test_lanes_against_plain_lists(moves: list[tuple[str, object, bool | None]]) -> None:
    lanes = Lanes(BUDGET)
    waiting: dict[str, list[Parcel]] = defaultdict(list)
    flying: dict[str, Parcel] = {}
    # One destination's batches lie in one partition.
    claims = {name: Claim("t", partition) for name, partition in zip("abc", (0, 0, 1), strict=True)}
    for number, (move, what, test) in enumerate(moves):
        if move == "add":
            name = str(what)
            made = parcel(batch(name, number + 1, test=bool(test)), number, claims[name])
            new = lanes.add(made, NOW)
            assert new == (name not in flying)
            waiting[name].append(made)
            if new:
                flying[name] = _next(lanes, waiting, name)
        elif move == "work" and what in flying:
            name = str(what)
            lanes.landed(name, NOW)
            del flying[name]
            if waiting[name]:
                flying[name] = _next(lanes, waiting, name)
            else:
                assert lanes.take(name, NOW) is None
        elif move == "revoke":
            gone = {claim for claim in claims.values() if claim.partition == what}
            lanes.withdraw(gone, NOW)
            for queue in waiting.values():
                queue[:] = [each for each in queue if each.claim not in gone]
            assert lanes.flying(gone) == any(each.claim in gone for each in flying.values())
            claims = {name: Claim("t", c.partition) if c in gone else c for name, c in claims.items()}
        held = [*flying.values(), *(each for queue in waiting.values() for each in queue)]
        assert lanes.bytes == SIZE * len(held)
        assert len(lanes) == len(flying)
        if move != "revoke" and what in flying:
            bound = max(int(BUDGET * FOR_LANES) - lanes.bytes, 0) // SHARE
            size = SIZE * (1 + len(waiting[str(what)]))
            assert size <= bound or claims[str(what)] in lanes.held(NOW)
            assert size > bound // 2 or claims[str(what)] not in lanes.held(NOW)
        assert lanes.overflowing or lanes.bytes <= BUDGET
        assert not lanes.overflowing or lanes.bytes > BUDGET * ENOUGH
        if not held:
            assert lanes.held(NOW) == frozenset()


def _next(lanes: Lanes, waiting: dict[str, list[Parcel]], name: str) -> Parcel:
    """Take the next parcel: the first test, else the first batch."""
    taken = lanes.take(name, NOW)
    assert taken is not None
    tests = [each for each in waiting[name] if each.batch is not None and each.batch.is_test]
    assert taken is (tests or waiting[name])[0]
    waiting[name].remove(taken)
    return taken


def test_what_is_held_back_goes_on_when_half_is_gone() -> None:
    lanes = Lanes(20 * SIZE)
    claim = Claim("t", 0)
    for number in range(21):
        lanes.add(parcel(batch("a", number), number, claim), NOW)
    assert lanes.take("a", NOW)
    for left in range(20, 0, -1):
        lanes.landed("a", NOW)
        assert lanes.take("a", NOW)
        assert lanes.overflowing == (left > 20 * ENOUGH)
        assert (claim in lanes.held(NOW)) == (left > (20 * FOR_LANES - left) // SHARE // 2)


def test_many_slow_lanes_leave_room_for_others() -> None:
    lanes = Lanes(1000 * SIZE)
    claims = [Claim("t", partition) for partition in range(100)]
    for number in range(5000):
        for claim in claims[:50]:
            if claim not in lanes.held(NOW):
                lanes.add(parcel(batch(f"slow-{claim.partition}", number), number, claim), NOW)
    assert not lanes.overflowing
    lanes.add(parcel(batch("fast"), 0, claims[-1]), NOW)
    assert claims[-1] not in lanes.held(NOW)


def test_a_flood_that_is_parked_stops_its_own_partition_only_however_much_slow_lanes_hold() -> None:
    lanes = Lanes(4000 * SIZE)
    for name in range(100):
        while not lanes.full(str(name)):
            lanes.add(parcel(batch(str(name)), 0, Claim("t", name)), NOW)
    claim, parked = Claim("t", 100), 0
    while claim not in lanes.held(NOW + HOLD_S):
        lanes.parking(claim, SIZE)
        parked += 1
    assert parked > 100
    assert not lanes.overflowing
    lanes.parking(claim, -parked * SIZE)
    assert lanes.held(NOW + HOLD_S) == frozenset()


def test_reading_goes_on_once_what_was_parked_is_safe() -> None:
    lanes = Lanes(4000 * SIZE)
    for name in range(100):
        while not lanes.full(str(name)):
            lanes.add(parcel(batch(str(name)), 0, Claim("t", name)), NOW)
    claims = [Claim("t", number) for number in range(50)]
    for claim in claims:
        lanes.parking(claim, 50 * SIZE)
    assert lanes.overflowing
    for claim in claims:
        lanes.parking(claim, -50 * SIZE)
    assert not lanes.overflowing


def test_a_full_lane_holds_its_partition_back_for_a_moment_only() -> None:
    lanes = Lanes(4 * SIZE)
    claim = Claim("t", 0)
    for number in range(3):
        lanes.add(parcel(batch("a", number), number, claim), NOW)
    assert lanes.held(NOW + HOLD_S / 2) == {claim}
    assert not lanes.spills("a", NOW + HOLD_S / 2)
    assert lanes.held(NOW + HOLD_S) == frozenset()
    assert lanes.spills("a", NOW + HOLD_S)


def test_nobody_waits_for_a_slow_receiver() -> None:
    lanes = Lanes(8 * SIZE)
    claim = Claim("t", 0)
    lanes.add(parcel(batch("a"), 0, claim), NOW)
    assert lanes.take("a", NOW)
    for number in range(1, 4):
        lanes.add(parcel(batch("a", number), number, claim), NOW + SLOW_S)
    assert lanes.full("a")
    assert lanes.held(NOW + SLOW_S) == frozenset()
