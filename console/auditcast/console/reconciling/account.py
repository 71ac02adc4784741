"""What the log holds against what the batches hold, hour by hour. Pure."""

from collections.abc import Iterable

from auditcast.console.reconciling.counts import Table, counts_in
from auditcast.console.reconciling.ledger import Ledger
from auditcast.console.reconciling.recount import Recount
from auditcast.schemas.chain import destination_of


def compare(ledger: Ledger, recounts: Iterable[Recount], table: Table) -> None:
    """Put into `table` what was emitted, and what is missing in the batches or in the log."""
    collected: dict[tuple[str, int], int] = {}
    known_from: dict[str, int] = {}
    streams: set[str] = set()
    for recount in recounts:
        collected |= recount.collected  # a stream is of one partition
        known_from |= recount.courses.known_from
        streams |= recount.courses.streams
    for stream, hour in collected.keys() | ledger.batched.keys():
        counts = counts_in(table, destination_of(stream), hour)
        found, batched = collected.get((stream, hour), 0), ledger.batched.get((stream, hour), 0)
        if stream not in streams or hour < known_from.get(stream, 0):
            counts.emitted += batched
            counts.recounted = False
            continue
        counts.emitted += found
        counts.missing += max(found - batched, 0)
        counts.surplus += max(batched - found, 0)


def refused(table: Table, letters: Iterable[tuple[str, int]]) -> None:
    """Note which of what was refused is still owed: dead letters of single events, by destination and hour."""
    for destination, hour in letters:
        counts_in(table, destination, hour).refused_owed += 1


def merged(*tables: Table) -> Table:
    """All counts together."""
    sums: Table = {}
    for table in tables:
        for key, counts in table.items():
            sums[key] = sums[key].plus(counts) if key in sums else counts
    return sums
