"""Counts, per destination, the events of a partition that are not collected since it is disabled or not entitled.

A count through an offset is a function of the log up to there, so whatever worker wrote it, it is right; the highest
offset tells most. It stands in no chain: counts are not, since they begin when a worker first knows how to count.
"""

from typing import Final

from msgspec import Struct

from auditcast.processors import state
from auditcast.processors.effects import PutState
from auditcast.schemas.records import Skipped

DISABLED: Final = "disabled"
UNENTITLED: Final = "unentitled"
WHY = (DISABLED, UNENTITLED)
"""Why nothing is collected. Of a destination that is both, it is the former: its plan would make no difference."""


class Tally(Struct):
    """`events` through `offset`, since `since` (ms)."""

    offset: int
    since: int
    events: int


class Skips:
    """The counts of one partition; `durable` is what lay in the links topic."""

    def __init__(self, durable: state.State) -> None:
        self._durable = durable
        self._tallies = {
            name: Tally(entries[-1].offset, entries[-1].since, entries[-1].events)
            for name, entries in durable.skipped.items()
        }
        self._unsaved: dict[str, int] = {}
        """The first event of each count that is in no record yet."""
        self._new = dict.fromkeys(WHY, 0)

    def count(self, destination: str, offset: int, timestamp: int, why: str) -> None:
        """The event at `offset`, stamped `timestamp`, is not collected; one that was counted already is not again."""
        tally = self._tallies.get(destination)
        if tally is None:
            tally = self._tallies[destination] = Tally(-1, timestamp, 0)
        if offset <= tally.offset:
            return
        tally.events += 1
        tally.offset = offset
        self._unsaved.setdefault(destination, offset)
        self._new[why] += 1

    def save(self) -> list[PutState]:
        """The counts that have grown; no commit may pass their events before they are durable."""
        effects = []
        for name, first in self._unsaved.items():
            tally = self._tallies[name]
            entry = Skipped(destination=name, offset=tally.offset, since=tally.since, events=tally.events)
            state.insert(self._durable.skipped.setdefault(name, []), entry)
            effects.append(PutState(state.skipped_key(name, entry.offset), entry, first))
        self._unsaved.clear()
        return effects

    def new(self) -> dict[str, int]:
        """How many were counted since this was last asked, by why; for metrics, so over all destinations."""
        new, self._new = self._new, dict.fromkeys(WHY, 0)
        return new
