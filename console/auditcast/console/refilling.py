"""Backfills against a broker: what is to be batched, and the batching of it. What they decide is in pure modules."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from auditcast.console.backfill import Moves, Refill, Row, finished, is_control, planned, reached
from auditcast.console.in_force import Standing, partition_in
from auditcast.console.outlet import Outlet
from auditcast.console.periods import Controls, History, Period, begins_stream, history, without
from auditcast.console.scanning import Scan, headers_of
from auditcast.processors.keys import Keys
from auditcast.processors.partition import Place
from auditcast.schemas import controls
from auditcast.schemas.records import Backfill, Batch, Moved

CHECKPOINT = 50
"""Batches after which it is noted how far a backfill has come."""

Shown = Callable[[int], None]
"""Called with how many offsets more have been read."""


class Asked(Struct, frozen=True, kw_only=True):
    """What a person wants: all that is stamped from `since` to before `until` (ms; None: no end), as of `now`."""

    since: int
    until: int | None
    now: int


class Plan(Struct):
    """Backfills to be done, those to be gone on with among them; `unknown_before` (ms): see periods.py."""

    backfills: list[Backfill] = field(default_factory=list)
    unknown_before: int | None = None

    @property
    def size(self) -> int:
        """Offsets to be read."""
        return sum(each.end - each.last_offset - 1 for each in self.backfills)


class Done(Struct, kw_only=True):
    """What became of a backfill; `expired` offsets were there when it began and could not be read any more."""

    backfill: Backfill
    resumed: bool
    events: int
    batches: int
    expired: int
    refused: Counter[str]


class Refilling:
    """The backfills of one destination; `scan` is of the events topic."""

    def __init__(self, scan: Scan, standing: Standing, keys: Keys) -> None:
        self._scan = scan
        self._standing = standing
        self._keys = keys

    def plan(self, asked: Asked, partitions: Sequence[int]) -> Plan:
        """What is to be done in `partitions`, in which the destination is in force; raises `Unproven`."""
        plan = Plan()
        for partition in partitions:
            earlier = [each for each in self._standing.backfills.values() if partition_in(each.stream) == partition]
            plan.backfills += [each for each in earlier if not each.finished]
            told = self._history(partition, asked.since)
            if told.unknown_before is not None and asked.since < told.unknown_before:
                plan.unknown_before = max(told.unknown_before, plan.unknown_before or 0)
            spans = [(each.first, each.end) for each in earlier]
            for period in told.periods:
                found = self._clipped(period, partition, asked)
                for piece in without(found, spans) if found is not None else ():
                    rule = controls.for_log(piece.revision)
                    plan.backfills.append(planned(rule, partition, piece.first, piece.end, asked.now))
        return plan

    def run(self, backfill: Backfill, outlet: Outlet | None, shown: Shown) -> Done:
        """Append the batches of one backfill, or only count them if there is no `outlet`."""
        partition = partition_in(backfill.stream)
        place = Place(self._scan.topic, partition, len(self._scan.bounds))
        refill = Refill(backfill, place, self._moved(partition, backfill.last_offset + 1), self._keys.sealer)
        unreadable = self._scan.unreadable
        come, batches = backfill, 0
        for batch in self._batches(refill, backfill, shown):
            if outlet is not None:
                if come.sequence == 0:
                    outlet.note(come)  # so that whoever comes next knows of it, however far this gets
                    outlet.flush()
                outlet.batch(batch)
                if batch.sequence % CHECKPOINT == 0:
                    outlet.flush()
                    outlet.note(reached(come, batch))
            come, batches = reached(come, batch), batches + 1
        if outlet is not None and come.sequence:
            self._end(refill, come, outlet)
            outlet.flush()
            outlet.note(finished(come))
            outlet.flush()
        if self._scan.unreadable > unreadable:
            refill.refused["unreadable"] += self._scan.unreadable - unreadable
        log_start = self._scan.bounds[partition][0]
        return Done(
            backfill=come,
            resumed=backfill.sequence > 0,
            events=come.last_event - backfill.last_event,
            batches=batches,
            expired=max(0, min(log_start, backfill.end) - refill.begin),
            refused=refill.refused,
        )

    def _end(self, refill: Refill, come: Backfill, outlet: Outlet) -> None:
        """Say, signed, which batch was the last one."""
        if self._keys.signer is not None:
            ended = refill.ended(come, self._keys.signer)
            outlet.manifest(ended.manifest)
            if ended.batch is not None:
                outlet.batch(ended.batch)

    def _batches(self, refill: Refill, backfill: Backfill, shown: Shown) -> Iterator[Batch]:
        last = refill.begin
        for row in self._rows(partition_in(backfill.stream), last, backfill.end):
            shown(row.offset - last)
            last = row.offset
            yield from refill.take(row)
        shown(backfill.end - last)
        yield from refill.finish()

    def _moved(self, partition: int, end: int) -> Mapping[int, Moved]:
        """What was moved to a partition before `end`; all of its log is read for that, if anything ever was."""
        moves = Moves(partition, self._keys.sealer)
        if self._standing.moves:
            for row in self._rows(partition, 0, end):
                moves.take(row)
        return moves.newest

    def _rows(self, partition: int, first: int, end: int) -> Iterator[Row]:
        """What the log has from `first` to before `end`."""
        for message in self._scan.messages({partition: first}):
            if (message.offset() or 0) >= end:
                return
            yield Row(
                message.offset() or 0, message.timestamp()[1], message.key(), message.value(), headers_of(message)
            )

    def _history(self, partition: int, since: int) -> History:
        """What can be told of a partition from `since` on: by what is kept, or by what the log proves."""
        kept = self._standing.entries(partition)
        if begins_stream(kept[0], partition) or kept[0].timestamp <= since:
            return history(kept, partition)
        found = Controls(partition, kept, self._keys.sealer)
        for row in self._rows(partition, 0, kept[0].offset):
            if is_control(row.value):
                found.take(row)
        return history(found.entries, partition, found.gap_at)

    def _clipped(self, period: Period, partition: int, asked: Asked) -> Period | None:
        """The part of a period that was asked for and is still in the log."""
        first = self._scan.first_since(partition, asked.since)
        end = None if asked.until is None else self._scan.first_since(partition, asked.until)
        if first is None:
            return None
        clipped = replace(
            period, first=max(first, period.first), end=period.end if end is None else min(end, period.end)
        )
        return clipped if clipped.first < clipped.end else None
