"""What of one destination lies in its partition of the parked topic, and how far it is settled. Pure.

Where it begins is known from markers (records.Parked): one written by each owner that parks, before anything that it
parked counts as settled elsewhere. An owner removes them once everything is settled that it knows of; what a stopped
worker appends late lies under a marker of its own, so nothing is forgotten, whoever writes when.
"""

from collections.abc import Iterable


class Backlog:
    """One destination's. Offsets are those of the parked topic."""

    __slots__ = ("_newest", "appending", "batches", "events", "handed", "last", "markers", "missed", "next",
                 "released", "since")  # fmt: skip

    def __init__(self) -> None:
        self.markers: set[int] = set()
        self.next: int | None = None
        """From here on nothing was handed over; None as long as nothing is parked."""
        self.last: int | None = -1
        """The newest parked batch; None before the log's end was read."""
        self._newest = -1
        self.released = -1
        """Everything up to here is settled."""
        self.appending = 0
        self.handed = 0
        """Handed over and not settled yet."""
        self.missed = False
        """Whether the pass under way (sweep.py) went past something that is still to be handed over."""
        self.batches = 0
        self.events = 0
        self.since: int | None = None

    @classmethod
    def taken_over(cls, markers: Iterable[int], released: int) -> "Backlog":
        """What an earlier owner left: there may be something from the first marker on, and to the log's end."""
        backlog = cls()
        backlog.markers = set(markers)
        backlog.released = released
        backlog.next = max(min(backlog.markers), released + 1)
        backlog.last = None
        return backlog

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
        return not self.pending and self.handed == 0

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
            self.next = offset
        self._newest = max(self._newest, offset)
        if self.last is not None:
            self.last = self._newest

    def ended(self, offset: int) -> None:
        """The log ended before `offset` as it was read, and nothing up to there was missed."""
        if self.last is None:
            self.last = self._newest = max(self._newest, offset - 1)
            self.next = max(self.next or 0, offset)

    def hand_over(self, offset: int) -> None:
        """The batch at `offset` goes to the lane."""
        self.next = offset + 1
        self.handed += 1

    def take_back(self, offset: int) -> None:
        """A batch handed over was not sent, or in vain: it comes again."""
        self.handed -= 1
        self.next = offset if self.next is None else min(self.next, offset)
        self.missed = True

    def settle(self, offset: int, events: int) -> None:
        """Nothing is left to do for the batch at `offset`."""
        self.handed -= 1
        self.released = max(self.released, offset)
        self.batches = max(self.batches - 1, 0)
        self.events = max(self.events - events, 0)

    def clear(self) -> set[int]:
        """Begin anew, everything being settled; returns the markers to remove."""
        markers, self.markers = self.markers, set()
        self.next, self.last, self._newest = None, -1, -1
        self.batches = self.events = 0
        self.since = None
        return markers
