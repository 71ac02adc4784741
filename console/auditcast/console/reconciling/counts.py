"""The numbers of one destination and hour, and which hour something belongs to. Plain data."""

from enum import StrEnum

from msgspec import Struct

HOUR_MS = 3_600_000


class Fate(StrEnum):
    """What became of events that are in a batch."""

    DELIVERED = "delivered"
    DEAD = "dead_lettered"
    RESOLVED = "resolved"
    """A person settled them otherwise."""
    EXPIRED = "expired"
    """They were kept no longer."""
    WAITING = "waiting"
    """No deliverer is done with the batch: it waits for its turn, or for a deliverer."""
    RETRYING = "retrying"
    PARKED = "parked"
    UNEXPLAINED = "unexplained"
    """Settled, and nothing on record says how."""


class Counts(Struct):
    """Events of one destination in one hour.

    `emitted` are those that it wants: all of its scope that its filters let through. Each of them was not collected,
    since it was `disabled` or `not_entitled`; or is too large (`refused`, of which `refused_owed` still lie among the
    dead letters); or is `batched`; or is not yet (`unbatched`); or is `missing`: in no batch, though it should be.
    `surplus` are in batches and were not found in the log. Each one that is batched has one of the fates. Where not all
    was `recounted`, as the rules of the time are not known any more, what was batched there counts as emitted.
    """

    emitted: int = 0
    disabled: int = 0
    not_entitled: int = 0
    refused: int = 0
    refused_owed: int = 0
    unbatched: int = 0
    missing: int = 0
    surplus: int = 0
    batched: int = 0
    delivered: int = 0
    dead_lettered: int = 0
    resolved: int = 0
    expired: int = 0
    waiting: int = 0
    retrying: int = 0
    parked: int = 0
    unexplained: int = 0
    recounted: bool = True

    @property
    def owed(self) -> int:
        """Events that are to be delivered and are not."""
        under_way = self.waiting + self.retrying + self.parked
        return self.unbatched + self.refused_owed + under_way + self.dead_lettered

    @property
    def empty(self) -> bool:
        """Whether there is nothing."""
        return not any(getattr(self, name) for name in NUMBERS)

    @property
    def wrong(self) -> int:
        """Events for which no record accounts."""
        return self.missing + self.surplus + self.unexplained

    def add(self, fate: Fate, events: int) -> None:
        """Count `events` more with this fate."""
        setattr(self, fate, getattr(self, fate) + events)

    def plus(self, other: "Counts") -> "Counts":
        """Both together."""
        sums = {name: getattr(self, name) + getattr(other, name) for name in NUMBERS}
        return Counts(**sums, recounted=self.recounted and other.recounted)


NUMBERS = tuple(name for name in Counts.__struct_fields__ if name != "recounted")
"""The names of all that is counted."""


class Window(Struct, frozen=True):
    """What is asked for: batches opened, and events stamped, from `since` to before `until`, in ms."""

    since: int
    until: int

    def hour(self, ms: int) -> int | None:
        """The beginning of the hour in which `ms` lies; None if that is not asked for."""
        return ms - ms % HOUR_MS if self.since <= ms < self.until else None


Table = dict[tuple[str, int], Counts]
"""Counts by destination and hour."""


def counts_in(table: Table, destination: str, hour: int) -> Counts:
    """The counts of one destination and hour, begun if there are none."""
    found = table.get((destination, hour))
    if found is None:
        found = table[destination, hour] = Counts()
    return found
