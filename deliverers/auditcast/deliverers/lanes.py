"""All lanes under one budget of bytes, and which partitions must wait. Pure; `now` in seconds.

A lane with more than a share of what is free of the lanes' part of the budget is full until it has half of that. So one
fast destination may use much, each of many slow ones gets little, and something is always left for the others. A full
lane that gets on well holds back the partition that its parcels come from, so that it need not be parked, but only for
so long that the partition's other destinations hardly notice. A partition from which batches are parked faster than the
brokers take them is held back likewise. A lane without work does not exist: memory follows work, not destinations.
"""

from collections.abc import Callable, Iterable

from auditcast.deliverers.lane import Lane
from auditcast.deliverers.parcels import Claim, Parcel

FOR_LANES = 3 / 4
"""Of the budget. Slow lanes may fill it for long; the rest is for what is being parked, and soon free again."""

SHARE = 4
"""A lane may have a quarter of what is free: a single one a fifth of their part, 20 slow ones five sixths."""

ENOUGH = 7 / 8
"""Once no more than that of the budget is used, reading goes on: more than slow lanes fill."""

HOLD_S = 1.0
"""For how long a full lane may hold back its partition."""

SLOW_S = 1.0
"""A request that takes longer is a slow receiver's, for whom nobody waits."""


class Lanes:
    """Queues by destination. One read may pass the `budget`, by no more than itself."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._lanes: dict[str, Lane] = {}
        self._full: dict[str, float] = {}
        self._parking: dict[Claim, int] = {}
        self.bytes = 0
        self.overflowing = False
        """Whether nothing at all may be read."""

    def __len__(self) -> int:
        return len(self._lanes)

    def add(self, parcel: Parcel, now: float) -> bool:
        """Queue `parcel`; returns whether its lane is new, so that somebody must begin to work it off."""
        lane = self._lanes.get(parcel.lane)
        new = lane is None
        if lane is None:
            lane = self._lanes[parcel.lane] = Lane(parcel.claim)
        lane.add(parcel)
        self._weigh(parcel.lane, parcel.size, now)
        return new

    def take(self, name: str, now: float) -> Parcel | None:
        """The next parcel of a lane, then in flight; None if there is none: the lane is gone then."""
        parcel = self._lanes[name].take(now)
        if parcel is None:
            del self._lanes[name]
            self._full.pop(name, None)
        return parcel

    def landed(self, name: str, now: float) -> None:
        """The parcel in flight of a lane is done with."""
        self._weigh(name, -self._lanes[name].landed(), now)

    def withdraw(self, claims: Iterable[Claim], now: float) -> None:
        """Forget everything that waits under `claims`."""
        given_up = set(claims)
        for name in self._lanes:
            self.take_out(name, lambda parcel: parcel.claim in given_up, now)

    def take_out(self, name: str, unwanted: Callable[[Parcel], bool], now: float) -> list[Parcel]:
        """Take what is `unwanted` out of what waits in a lane, if there is one; in order."""
        lane = self._lanes.get(name)
        taken = lane.withdraw(unwanted) if lane else []
        if taken:
            self._weigh(name, -sum(parcel.size for parcel in taken), now)
        return taken

    def parking(self, claim: Claim, size: int) -> None:
        """Count bytes read under `claim` that are being parked; negative when they are."""
        self.bytes += size
        left = self._parking.pop(claim, 0) + size
        if left:
            self._parking[claim] = left
        self._measure()

    def held(self, now: float) -> frozenset[Claim]:
        """The claims whose partitions must wait, for a full lane or for the brokers."""
        bound = max(self._budget - self.bytes, 0) // SHARE
        behind = {claim for claim, size in self._parking.items() if size > bound}
        return frozenset(behind.union(self._lanes[name].source for name in self._full if not self.spills(name, now)))

    def full(self, name: str) -> bool:
        """Whether a lane can take no more."""
        return name in self._full

    def spills(self, name: str, now: float) -> bool:
        """Whether a lane can take no more, and must not be waited for either."""
        since = self._full.get(name)
        if since is None:
            return False
        lane = self._lanes[name]
        return now - since >= HOLD_S or (lane.flying is not None and now - lane.took_off >= SLOW_S)

    def waiting(self, name: str) -> int:
        """How many parcels a lane has, the one in flight included."""
        lane = self._lanes.get(name)
        return len(lane) if lane else 0

    def flying(self, claims: Iterable[Claim]) -> bool:
        """Whether a parcel read under one of `claims` is in flight."""
        wanted = set(claims)
        return any(lane.flying is not None and lane.flying.claim in wanted for lane in self._lanes.values())

    def _weigh(self, name: str, change: int, now: float) -> None:
        """Take note of bytes that a lane got, or gave free."""
        self.bytes += change
        bound = max(int(self._budget * FOR_LANES) - self.bytes, 0) // SHARE
        if self._lanes[name].bytes > bound:
            self._full.setdefault(name, now)
        elif self._lanes[name].bytes <= bound // 2:
            self._full.pop(name, None)
        self._measure()

    def _measure(self) -> None:
        if self.bytes > self._budget:
            self.overflowing = True
        elif self.bytes <= self._budget * ENOUGH:
            self.overflowing = False
