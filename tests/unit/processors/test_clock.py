"""A window is due in time whatever the worker's own clock says."""

from auditcast.processors.clock import BrokerClock

T0 = 1_700_000_000_000
HOUR = 3_600_000


def test_a_worker_whose_clock_is_behind_goes_by_the_records() -> None:
    clock = BrokerClock()
    clock.saw(T0, elapsed=5_000)
    assert clock.now(wall=T0 - HOUR, elapsed=5_000) == T0
    assert clock.now(wall=T0 - HOUR, elapsed=35_000) == T0 + 30_000


def test_old_records_turn_nothing_back() -> None:
    clock = BrokerClock()
    clock.saw(T0, elapsed=0)
    clock.saw(T0 - HOUR, elapsed=10)
    assert clock.now(wall=0, elapsed=10) == T0 + 10


def test_a_worker_that_has_seen_nothing_goes_by_its_own_clock() -> None:
    assert BrokerClock().now(wall=T0, elapsed=99) == T0
