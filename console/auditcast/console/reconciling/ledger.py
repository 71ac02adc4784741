"""What became of the batches, one after the other as they lie in their topic. No I/O."""

from bisect import bisect_right

from msgspec import Struct

from auditcast.console.reconciling.counts import Fate, Table, Window, counts_in
from auditcast.console.reconciling.intervals import Intervals, Span, size
from auditcast.schemas.records import Batch

_ORDER = (Fate.DEAD, Fate.DELIVERED, Fate.PARKED, Fate.RETRYING)
"""What counts first: what lies among the dead letters is owed, whatever was delivered of it before."""

MOST_FAULTS = 100
"""Faults that are told one by one."""


class Fates:
    """What is known of events, by the numbers that they have in their streams."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, Fate], Intervals] = {}

    def note(self, stream: str, fate: Fate, first: int, last: int) -> None:
        """Events `first` to `last` have this fate."""
        known = self._known.get((stream, fate))
        if known is None:
            known = self._known[stream, fate] = Intervals()
        known.add(first, last)

    def sort(
        self, stream: str, spans: list[Span], fates: tuple[Fate, ...]
    ) -> tuple[dict[Fate, list[Span]], list[Span]]:
        """Which of `spans` have which of `fates`, the first that fits, and what is left."""
        sorted_: dict[Fate, list[Span]] = {}
        for fate in fates:
            known = self._known.get((stream, fate))
            if known is None or not spans:
                continue
            left: list[Span] = []
            for span in spans:
                inside, outside = known.split(*span)
                if inside:
                    sorted_.setdefault(fate, []).extend(inside)
                left += outside
            spans = left
        return sorted_, spans


class Chain:
    """What the batches of one stream cover: where in the log each hour's first batch begins, and how far the last is.

    Batches follow each other without a gap, so an event belongs to the hour of the batch that began last before it.
    """

    __slots__ = ("_hours", "_starts", "covered", "digest", "highest")

    def __init__(self) -> None:
        self.highest = 0
        self.digest = ""
        self.covered = -1
        self._starts: list[int] = []
        self._hours: list[int | None] = []

    def append(self, batch: Batch, hour: int | None) -> None:
        """The next batch, which counts for `hour`."""
        if not self._starts or self._hours[-1] != hour:
            self._starts.append(batch.first_offset)
            self._hours.append(hour)
        self.highest, self.digest, self.covered = batch.sequence, batch.digest, batch.last_offset

    def hour(self, offset: int, otherwise: int | None) -> int | None:
        """The hour that a collected event at `offset` counts for; one before all batches counts for its own."""
        place = bisect_right(self._starts, offset) - 1
        return otherwise if place < 0 else self._hours[place]


class Unknown(Struct, frozen=True):
    """Events of a batch of which nothing is known, so far; `hour` is what they count for."""

    id: str
    destination: str
    stream: str
    sequence: int
    span: Span
    hour: int
    partition: int
    offset: int


class Ledger:
    """Takes batches in the order of each stream, all fates but those of `waiting` ones being known before."""

    def __init__(self, window: Window, fates: Fates) -> None:
        self.table: Table = {}
        self.chains: dict[str, Chain] = {}
        self.batched: dict[tuple[str, int], int] = {}
        """Events by stream and hour."""
        self.unknown: list[Unknown] = []
        self.faults: list[str] = []
        """Sentences about what no chain may be like."""
        self._window = window
        self._fates = fates

    def take(self, batch: Batch, partition: int, offset: int, *, settled: bool) -> list[Span]:
        """The batch at a place of its topic; returns the numbers of those events that wait, unless it is `settled`."""
        if not self._continues(batch):
            return []
        hour = self._window.hour(batch.opened)
        self.chains[batch.stream].append(batch, hour)
        if hour is None and settled:
            return []
        known, left = self._fates.sort(batch.stream, [(batch.first_event, batch.last_event)], _ORDER)
        waiting = [] if settled else left
        if hour is not None:
            counts = counts_in(self.table, batch.destination, hour)
            counts.batched += batch.last_event - batch.first_event + 1
            key = (batch.stream, hour)
            self.batched[key] = self.batched.get(key, 0) + batch.last_event - batch.first_event + 1
            for fate, spans in known.items():
                counts.add(fate, sum(map(size, spans)))
            counts.add(Fate.WAITING, sum(map(size, waiting)))
            if settled:
                self.unknown += [
                    Unknown(batch.id, batch.destination, batch.stream, batch.sequence, span, hour, partition, offset)
                    for span in left
                ]
        return waiting

    def settle(self, fates: Fates, order: tuple[Fate, ...]) -> None:
        """Look at what is unknown with what else is known now."""
        unknown, self.unknown = self.unknown, []
        for each in unknown:
            known, left = fates.sort(each.stream, [each.span], order)
            for fate, spans in known.items():
                counts_in(self.table, each.destination, each.hour).add(fate, sum(map(size, spans)))
            self.unknown += [
                Unknown(
                    each.id, each.destination, each.stream, each.sequence, span, each.hour, each.partition, each.offset
                )
                for span in left
            ]

    def close(self) -> None:
        """Nothing more will be known."""
        for each in self.unknown:
            counts_in(self.table, each.destination, each.hour).add(Fate.UNEXPLAINED, size(each.span))

    def _continues(self, batch: Batch) -> bool:
        """Whether it is the stream's next batch, and not one written once more after a crash."""
        chain = self.chains.get(batch.stream)
        if chain is None:
            self.chains[batch.stream] = Chain()
            return True
        if batch.sequence <= chain.highest:
            if batch.sequence == chain.highest and batch.digest != chain.digest:
                self._fault(f"two different batches of {batch.stream} have the number {batch.sequence}")
            return False
        if batch.sequence > chain.highest + 1:
            self._fault(f"of {batch.stream} batch {batch.sequence} follows batch {chain.highest}")
        elif batch.previous_digest != chain.digest:
            self._fault(f"batch {batch.sequence} of {batch.stream} does not continue the chain")
        return True

    def _fault(self, sentence: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(sentence)
