"""All lanes under one budget of bytes, and which partitions must wait. Pure.

A lane with more than a share of what is free of the budget holds back the partition that its parcels come from, until
it has half of that. So one fast destination may use much, each of many slow ones gets little, and something is always
left for the others. A lane without work does not exist: memory follows work, not destinations.
"""

from collections.abc import Iterable

from auditcast.deliverers.lane import Lane
from auditcast.deliverers.parcels import Claim, Parcel

SHARE = 4
"""A lane may have a quarter of what is free: a single one a fifth of the budget, 20 slow ones five sixths of it."""


class Lanes:
    """Queues by destination. One read may pass the `budget`, by no more than itself."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._lanes: dict[str, Lane] = {}
        self._full: set[str] = set()
        self.bytes = 0
        self.overflowing = False
        """Whether nothing at all may be read."""

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, parcel: Parcel) -> bool:
        """Queue `parcel`; returns whether its lane is new, so that somebody must begin to work it off."""
        lane = self._lanes.get(parcel.lane)
        new = lane is None
        if lane is None:
            lane = self._lanes[parcel.lane] = Lane(parcel.claim)
        lane.add(parcel)
        self._weigh(parcel.lane, parcel.size)
        return new

    def take(self, name: str) -> Parcel | None:
        """The next parcel of a lane, then in flight; None if there is none: the lane is gone then."""
        parcel = self._lanes[name].take()
        if parcel is None:
            del self._lanes[name]
            self._full.discard(name)
        return parcel

    def landed(self, name: str) -> None:
        """The parcel in flight of a lane is done with."""
        self._weigh(name, -self._lanes[name].landed())

    def withdraw(self, claims: Iterable[Claim]) -> None:
        """Forget everything that waits under `claims`."""
        given_up = set(claims)
        for name, lane in self._lanes.items():
            self._weigh(name, -lane.withdraw(given_up))

    def held(self) -> frozenset[Claim]:
        """The claims whose partitions must wait for a full lane."""
        return frozenset(self._lanes[name].source for name in self._full)

    def flying(self, claims: Iterable[Claim]) -> bool:
        """Whether a parcel read under one of `claims` is in flight."""
        wanted = set(claims)
        return any(lane.flying is not None and lane.flying.claim in wanted for lane in self._lanes.values())

    def _weigh(self, name: str, change: int) -> None:
        """Take note of bytes that a lane got, or gave free."""
        self.bytes += change
        bound = max(self._budget - self.bytes, 0) // SHARE
        if self._lanes[name].bytes > bound:
            self._full.add(name)
        elif self._lanes[name].bytes <= bound // 2:
            self._full.discard(name)
        if self.bytes > self._budget:
            self.overflowing = True
        elif self.bytes <= self._budget // 2:
            self.overflowing = False
