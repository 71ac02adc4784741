"""The open windows of a partition: which is the oldest, and which are due."""

import heapq
from collections import OrderedDict

from auditcast.processors.effects import PutBatch
from auditcast.processors.stream import Stream

NEVER = 1 << 62
"""A time that no record is stamped with, and an offset that no log reaches."""


class Windows:
    """Opens and closes windows by the time that records are stamped with; `next_due` never asks for a clock."""

    def __init__(self) -> None:
        self._open: OrderedDict[Stream, None] = OrderedDict()  # in the order of opening, hence of offsets
        self._timetable: list[tuple[int, int, str, Stream]] = []  # a heap; windows closed otherwise stay till then
        self.earliest = NEVER
        """No window is due before this time; cheap to look at for every record."""

    def __len__(self) -> int:
        return len(self._open)

    def open(self, stream: Stream, offset: int, timestamp: int) -> None:
        """Open the window of `stream` at the event at `offset`, stamped `timestamp` ms."""
        stream.open(offset, timestamp)
        self._open[stream] = None
        due = timestamp + stream.rule.revision.window_ms
        heapq.heappush(self._timetable, (due, offset, stream.name, stream))
        self.earliest = self._timetable[0][0]

    def close(self, stream: Stream) -> PutBatch:
        """Close the window of `stream`."""
        del self._open[stream]
        return stream.close()

    def close_due(self, timestamp: int) -> list[PutBatch]:
        """Close every window that is due at `timestamp`."""
        closed: list[PutBatch] = []
        while self._timetable and self._timetable[0][0] <= timestamp:
            entry = heapq.heappop(self._timetable)
            if self._still_open(entry):
                closed.append(self.close(entry[3]))
        self.earliest = self._timetable[0][0] if self._timetable else NEVER
        return closed

    def next_due(self) -> int:
        """When the next window is due, in ms of the broker's time; `NEVER` if none is open."""
        while self._timetable and not self._still_open(self._timetable[0]):
            heapq.heappop(self._timetable)
        self.earliest = self._timetable[0][0] if self._timetable else NEVER
        return self.earliest

    def oldest(self) -> int:
        """The offset of the earliest event in an open window; `NEVER` if none is open."""
        return next(iter(self._open)).opened_at if self._open else NEVER

    def _still_open(self, entry: tuple[int, int, str, Stream]) -> bool:
        stream = entry[3]
        return stream in self._open and stream.opened_at == entry[1]
