"""What of one destination lies in its partition of the parked topic, and how far it is settled. Pure.

Where it begins is known from markers (records.Parked): one written by each owner that parks, before anything that it
parked counts as settled elsewhere. An owner removes them once everything is settled that it knows of; what a stopped
worker appends late lies under a marker of its own. How far it is settled is known from spans (records.Released): what
an owner says there it saw itself, so it stays true, and says nothing of what others parked before its own beginning.
So nothing is forgotten, whoever writes when.
"""

from collections.abc import Iterable

from auditcast.deliverers.offsets import Span


class Backlog:
    """One destination's. Offsets are those of the parked topic."""

    __slots__ = ("_handed", "_newest", "appending", "batches", "events", "first", "last", "markers", "missed", "next",
                 "since")  # fmt: skip

    def __init__(self) -> None:
        self.markers: set[int] = set()
        self.first = 0
        """Where this owner's knowledge begins."""
        self.next: int | None = None
        """From here on nothing was handed over; None as long as nothing is parked."""
        self.last: int | None = -1
        """The newest parked batch; None before the log's end was read."""
        self._newest = -1
        self._handed: set[int] = set()
        self.appending = 0
        self.missed = False
        """Whether the pass under way (sweep.py) went past something that is still to be handed over."""
        self.batches = 0
        self.events = 0
        self.since: int | None = None

    @classmethod
    def taken_over(cls, markers: Iterable[int], spans: Iterable[Span]) -> "Backlog":
        """What earlier owners left: there may be something from the first marker on, outside the spans."""
        backlog = cls()
        backlog.markers = set(markers)
        start = min(backlog.markers)
        for first, last in sorted(spans):
            if first <= start:
                start = max(start, last + 1)
        backlog.first = backlog.next = start
        backlog.last = None
        return backlog

    @property
    def handed(self) -> int:
        """How many were handed over and are not settled yet."""
        return len(self._handed)

    @property
    def released(self) -> Span | None:
        """The span that is settled, if any, from the beginning of this owner's knowledge on."""
        if self.next is None:
            return None
        last = min(self._handed, default=self.next)
        return (self.first, min(last, self.next) - 1) if min(last, self.next) > self.first else None

    @property
    def pending(self) -> bool:
        """Whether something is parked that was not handed over: what is new has to queue up behind it."""
        return self.appending > 0 or self.last is None or (self.next is not None and self.next <= self.last)

    @property
    def readable(self) -> bool:
        """Whether there may be something to read."""
        return self.next is not None and (self.last is None or self.next <= self.last)

    @property
    def settled(self) -> bool:
        """Whether nothing is parked any more."""
        return not self.pending and not self._handed

    def begin(self, events: int, now: int) -> None:
        """A batch of so many events is being parked, at `now` in ms."""
        self.appending += 1
        self.batches += 1
        self.events += events
        if self.since is None:
            self.since = now

    def appended(self, offset: int) -> None:
        """A batch lies at `offset`."""
        self.appending -= 1
        if self.next is None:
            self.first = self.next = offset
        self._newest = max(self._newest, offset)
        if self.last is not None:
            self.last = self._newest

    def ended(self, offset: int) -> None:
        """The log ended before `offset` as it was read, and nothing up to there was missed."""
        if self.next is None:
            return
        # What was parked and did not come has expired: it must not be waited for.
        self.next = max(self.next, offset)
        if self.last is None:
            self.last = self._newest = max(self._newest, offset - 1)

    def hand_over(self, offset: int) -> None:
        """The batch at `offset` goes to the lane."""
        self.next = offset + 1
        self._handed.add(offset)

    def take_back(self, offset: int) -> None:
        """A batch handed over was not sent, or in vain: it comes again."""
        self._handed.discard(offset)
        self.next = offset if self.next is None else min(self.next, offset)
        self.missed = True

    def settle(self, offset: int, events: int) -> None:
        """Nothing is left to do for the batch at `offset`."""
        self._handed.discard(offset)
        self.batches = max(self.batches - 1, 0)
        self.events = max(self.events - events, 0)

    def clear(self) -> set[int]:
        """Begin anew, everything being settled; returns the markers to remove."""
        markers, self.markers = self.markers, set()
        self.next, self.last, self._newest = None, -1, -1
        self.batches = self.events = 0
        self.since = None
        return markers
