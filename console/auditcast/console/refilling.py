"""Backfills against a broker: what is to be batched, and the batching of it. What they decide is in pure modules."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from confluent_kafka import Message
from msgspec import Struct, field
from msgspec.structs import replace

from auditcast.console.backfill import Refill, Row, finished, is_control, planned, reached
from auditcast.console.in_force import Standing, partition_in
from auditcast.console.outlet import Outlet
from auditcast.console.periods import Log, Period, begins_stream, history, without
from auditcast.console.scanning import Scan
from auditcast.processors import controls
from auditcast.schemas.records import Backfill, Batch, RevisionInForce
from auditcast.schemas.sealing import Sealer

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
        return sum(each.end - each.first for each in self.backfills)


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

    def __init__(self, scan: Scan, standing: Standing, sealer: Sealer) -> None:
        self._scan = scan
        self._standing = standing
        self._sealer = sealer

    def plan(self, asked: Asked, partitions: Sequence[int]) -> Plan:
        """What is to be done in `partitions`, in which the destination is in force; raises `Unproven`."""
        plan = Plan()
        for partition in partitions:
            earlier = [each for each in self._standing.backfills.values() if partition_in(each.stream) == partition]
            plan.backfills += [each for each in earlier if not each.finished]
            told = history(self._entries(partition, asked.since), partition)
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
        refill = Refill(backfill, self._scan.topic, len(self._scan.bounds), self._sealer)
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
            outlet.flush()
            outlet.note(finished(come))
            outlet.flush()
        begins = max(backfill.first, backfill.last_offset + 1)
        log_start = self._scan.bounds[partition_in(backfill.stream)][0]
        return Done(
            backfill=come,
            resumed=backfill.sequence > 0,
            events=come.last_event - backfill.last_event,
            batches=batches,
            expired=max(0, min(log_start, backfill.end) - begins),
            refused=refill.refused,
        )

    def _batches(self, refill: Refill, backfill: Backfill, shown: Shown) -> Iterator[Batch]:
        # From its first offset on also if it had got further: what was moved here twice is known by the first of it.
        last = backfill.first
        for message in self._scan.messages({partition_in(backfill.stream): last}):
            row = row_of(message)
            if row.offset >= backfill.end:
                break
            shown(row.offset - last)
            last = row.offset
            yield from refill.take(row)
        shown(backfill.end - last)
        yield from refill.finish()

    def _entries(self, partition: int, since: int) -> list[RevisionInForce]:
        """The destination's revisions in a partition: those that are kept, and older ones if the log proves them."""
        kept = self._standing.entries(partition)
        if begins_stream(kept[0], partition) or kept[0].timestamp <= since:
            return kept
        log = Log(partition, kept, self._sealer)
        for message in self._scan.messages({partition: 0}):
            if (message.offset() or 0) >= kept[0].offset:
                break
            if is_control(message.value()):
                log.take(row_of(message))
        return log.entries

    def _clipped(self, period: Period, partition: int, asked: Asked) -> Period | None:
        """The part of a period that was asked for and is still in the log."""
        first = self._scan.first_since(partition, max(asked.since, period.after + 1))
        end = None if asked.until is None else self._scan.first_since(partition, asked.until)
        if first is None:
            return None
        clipped = replace(
            period, first=max(first, period.first), end=period.end if end is None else min(end, period.end)
        )
        return clipped if clipped.first < clipped.end else None


def row_of(message: Message) -> Row:
    """A record as the processor's core takes it."""
    headers: Any = message.headers() or ()
    return Row(message.offset() or 0, message.timestamp()[1], message.key(), message.value(), headers)
