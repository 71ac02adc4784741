"""When nothing was collected for a destination in one partition, from what is known of its revisions there. Pure.

The processors keep only the newest revisions in force. If the first is among them, or is still in the log, the whole
history is known; if not, what lies before the oldest one known is left alone: it may have been collected.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from auditcast.processors.keys import Keys
from auditcast.processors.partition import LogRecord
from auditcast.processors.roster import Roster
from auditcast.processors.state import State
from auditcast.schemas import controls
from auditcast.schemas.chain import stream_epoch, stream_name
from auditcast.schemas.errors import AuditcastError, Refused
from auditcast.schemas.records import Control, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode_as


class Unproven(AuditcastError):
    """A control record that may have shaped the history is not signed with any of the keys at hand."""


class Period(Struct, frozen=True):
    """Offsets from `first` to before `end` of which nothing was collected; `revision` is what ended it."""

    first: int
    end: int
    revision: Revision


class History(Struct, frozen=True):
    """The periods of one partition; `unknown_before` is the time in ms before which nothing can be told, if any."""

    periods: list[Period]
    unknown_before: int | None = None


def begins_stream(entry: RevisionInForce, partition: int) -> bool:
    """Whether `entry` was the destination's first in the partition: the name of its stream proves it."""
    epoch = stream_epoch(entry.revision.epoch, entry.offset, entry.timestamp)
    return entry.stream == stream_name(entry.revision.destination, partition, epoch)


def history(entries: Sequence[RevisionInForce], partition: int, gap_at: int | None = None) -> History:
    """What follows from `entries`, which are by offset, without holes, and not empty.

    `gap_at` is where the gap began that the first of them tells of, if that lies before it and the log still has it.
    """
    first = entries[0]
    periods: list[Period] = []
    unknown_before = None
    missing_from: int | None = 0
    if not begins_stream(first, partition):
        unknown_before = first.timestamp if first.gap_from is None else first.gap_from
        if gap_at is None:
            gap_at = first.offset if first.gap_from == first.timestamp and not first.revision.collecting else 0
        missing_from = None if first.gap_from is None else gap_at
        if missing_from is not None and first.gap_offset is not None:
            periods.append(Period(missing_from, first.gap_offset, first.revision))
            missing_from = None
    for entry in entries:
        collecting = entry.revision.collecting
        if collecting and missing_from is not None:
            periods.append(Period(missing_from, entry.offset, entry.revision))
            missing_from = None
        elif not collecting and missing_from is None:
            missing_from = entry.offset
    return History(periods, unknown_before)


class Controls:
    """Takes the control records of a log from its start on, to find what the processors have forgotten.

    `gap_at` is where the gap began that the oldest known entry tells of, if that was found.
    """

    def __init__(self, partition: int, known: Sequence[RevisionInForce], sealer: Sealer) -> None:
        """`known` are the newest entries, not empty; they count from the first of them on."""
        self.gap_at: int | None = None
        self._partition = partition
        self._known = known
        self._destination = known[0].revision.destination
        self._sealer = sealer
        self._roster = Roster(partition, 0, State(), Keys(sealer, signer=None))
        self._found: list[RevisionInForce] = []

    @property
    def entries(self) -> list[RevisionInForce]:
        """All of them if the log still has the first, else those that were known."""
        return [*self._found, *self._known]

    def take(self, record: LogRecord) -> None:
        """The next record before the oldest one known; raises `Unproven`."""
        known = self._known[0].revision
        try:
            control = decode_as(Control, record.value or b"")
            revision = decode_as(Revision, control.content)
        except Refused:
            return
        ours = known.destination, known.epoch
        if (revision.destination, revision.epoch) != ours or control.partition != self._partition:
            return
        if self._found or self._is_first(revision, record):
            self._check(control, record.offset)
            if self._roster.is_above(revision):
                self._found.append(self._roster.obey(revision, record.offset, record.timestamp)[0])
        elif record.timestamp == self._known[0].gap_from and not revision.collecting:
            self._check(control, record.offset)
            self.gap_at = record.offset

    def _is_first(self, revision: Revision, record: LogRecord) -> bool:
        epoch = stream_epoch(revision.epoch, record.offset, record.timestamp)
        return stream_name(self._destination, self._partition, epoch) == self._known[0].stream

    def _check(self, control: Control, offset: int) -> None:
        try:
            controls.content(control, self._sealer)
        except Refused:
            raise Unproven(
                f"the control record of {self._destination} at partition {self._partition}, offset {offset} is not"
                " signed with any of AUDITCAST_SEALING_KEYS: add the key that was used then"
            ) from None


def without(period: Period, spans: Iterable[tuple[int, int]]) -> list[Period]:
    """What is left of `period` once the offsets in `spans`, (first, end) each, are taken out of it."""
    left = [period]
    for first, end in spans:
        left = [
            Period(low, high, period.revision)
            for piece in left
            for low, high in ((piece.first, min(piece.end, first)), (max(piece.first, end), piece.end))
            if low < high
        ]
    return left
