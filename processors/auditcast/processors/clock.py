"""The broker's time, as a worker knows it: its own clock may be off, and windows are due by the broker's."""

from msgspec import Struct


class BrokerClock(Struct):
    """All times in ms; `elapsed` is a monotonic clock's."""

    _lead: float = float("-inf")

    def saw(self, timestamp: int, elapsed: float) -> None:
        """A record stamped `timestamp` came in: it is at least so late at the broker."""
        self._lead = max(self._lead, timestamp - elapsed)

    def now(self, wall: float, elapsed: float) -> float:
        """The time by the worker's own clock, or by the records if that is later.

        A clock that is behind would keep windows open; one that is ahead costs ticks, which do no harm.
        """
        return max(wall, self._lead + elapsed)
