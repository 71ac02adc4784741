"""The pure parts of a reconciliation: sets of numbers, what batches cover, the log counted anew."""

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.console.backfill import Row, planned
from auditcast.console.reconciling import account
from auditcast.console.reconciling.counts import HOUR_MS, Counts, Fate, Table, Window
from auditcast.console.reconciling.courses import Part
from auditcast.console.reconciling.intervals import Intervals
from auditcast.console.reconciling.ledger import Fates, Ledger
from auditcast.console.reconciling.owed import Owed, Owings
from auditcast.console.reconciling.recount import Coverage, Recount
from auditcast.kafka.partitioner import partition_of
from auditcast.processors import moves
from auditcast.processors.moves import Origin
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas import controls
from auditcast.schemas.chain import stream_epoch, stream_name
from auditcast.schemas.records import Batch, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer, new_key

SEALER = Sealer([new_key()])
PARTITIONS = 4
WORKSPACE = "ws_1"
HOME = partition_of(WORKSPACE, PARTITIONS)
DESTINATION = "dst_1"
REVISION = Revision(
    destination=DESTINATION, number=1, nonce="0", state="active", changed_at=0, workspace=WORKSPACE, epoch="e"
)
T0 = 10 * HOUR_MS
WINDOW = Window(T0, T0 + 2 * HOUR_MS)
STREAM = stream_name(DESTINATION, HOME, stream_epoch("e", 0, T0))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8))), st.integers(0, 60), st.integers(0, 20))
def test_intervals_are_sets(added: list[tuple[int, int]], first: int, more: int) -> None:
    intervals, numbers = Intervals(), set[int]()
    for begin, length in added:
        intervals.add(begin, begin + length)
        numbers |= set(range(begin, begin + length + 1))
    inside, outside = intervals.split(first, first + more)
    asked = set(range(first, first + more + 1))
    assert {each for low, high in inside for each in range(low, high + 1)} == numbers & asked
    assert {each for low, high in outside for each in range(low, high + 1)} == asked - numbers
    spans = intervals.spans
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(spans))


def batch(sequence: int, first_offset: int, opened: int, events: int = 2, **changes: Any) -> Batch:
    made = Batch(
        id=f"{STREAM}-{sequence}", destination=DESTINATION, revision_number=1, revision_nonce="0", stream=STREAM,
        sequence=sequence, first_event=2 * sequence - 1, last_event=2 * sequence - 2 + events, partition=HOME,
        first_offset=first_offset, last_offset=first_offset + events - 1, opened=opened, format="cloudevents/1",
        gap="-", body_sha256="", previous_digest=f"d{sequence - 1}", digest=f"d{sequence}", body=b"",
    )  # fmt: skip
    return replace(made, **changes)


def test_a_batch_counts_once_and_each_event_has_one_fate() -> None:
    fates = Fates()
    fates.note(STREAM, Fate.DELIVERED, 1, 3)
    fates.note(STREAM, Fate.DEAD, 3, 4)  # owed again: a replay of what was delivered has failed
    ledger = Ledger(WINDOW, fates)
    for each in (batch(1, 10, T0), batch(2, 12, T0), batch(1, 10, T0), batch(2, 12, T0)):
        assert ledger.take(each, 0, 0, settled=True) == []
    assert ledger.take(batch(3, 14, T0 + HOUR_MS), 0, 7, settled=False) == [(5, 6)]
    ledger.take(batch(4, 16, T0 + HOUR_MS), 0, 8, settled=True)
    ledger.close()
    assert ledger.table[DESTINATION, T0] == Counts(batched=4, delivered=2, dead_lettered=2)
    assert ledger.table[DESTINATION, T0 + HOUR_MS] == Counts(batched=4, waiting=2, unexplained=2)
    assert [(each.sequence, each.span) for each in ledger.unknown] == [(4, (7, 8))]
    assert ledger.faults == []


def test_broken_chains_are_named() -> None:
    ledger = Ledger(WINDOW, Fates())
    for each in (
        batch(5, 10, T0), batch(7, 14, T0), batch(8, 16, T0, previous_digest="other"),
        batch(8, 16, T0, digest="another"),
    ):  # fmt: skip
        ledger.take(each, 0, 0, settled=True)
    assert ledger.faults == [
        f"of {STREAM} batch 7 follows batch 5",
        f"batch 8 of {STREAM} does not continue the chain",
        f"two different batches of {STREAM} have the number 8",
    ]


def entry(offset: int, revision: Revision = REVISION, at: int = T0) -> RevisionInForce:
    return RevisionInForce(offset=offset, timestamp=at, stream=STREAM, revision=revision)


def event(offset: int, at: int, *, headers: Any = (), workspace: str = WORKSPACE) -> Row:
    with MemoryAuditLog() as log:
        log.emit(workspace=workspace, category="lock", action="created", actor={"id": "u", "type": "user"})
        return Row(offset, at, workspace.encode(), log.values[0], headers)


def control(offset: int, revision: Revision, at: int, sealer: Sealer = SEALER) -> Row:
    return Row(offset, at, None, controls.control(revision, HOME, sealer))


def counted(rows: list[Row], ledger: Ledger, entries: list[RevisionInForce], **changes: Any) -> tuple[Table, Recount]:
    part = Part(
        partition=HOME, partitions=PARTITIONS, entries={DESTINATION: entries} if entries else {}, backfills=[],
        committed=0, scopes=frozenset({WORKSPACE}), wanted=None, begin=0, first=0,
    )  # fmt: skip
    recount = Recount(replace(part, **changes), WINDOW, Coverage(ledger.chains, {}), SEALER)
    for row in rows:
        recount.take(row)
    table = account.merged(ledger.table, recount.table)
    account.compare(ledger, [recount], table)
    return table, recount


def test_an_event_counts_for_the_hour_of_its_batch() -> None:
    ledger = Ledger(WINDOW, Fates())
    full = T0 + HOUR_MS
    ledger.take(batch(1, 10, full - 5000), 0, 0, settled=True)
    ledger.take(batch(2, 12, full + 9000), 0, 0, settled=True)
    rows = [control(0, REVISION, T0), event(10, full - 5000), event(11, full + 5000), event(12, full + 9000),
            event(13, full + 9001), event(14, full + 9002)]  # fmt: skip
    table, recount = counted(rows, ledger, [entry(0)])
    assert [(hour, counts.emitted, counts.wrong) for (_, hour), counts in sorted(table.items())] == [
        (T0, 2, 0), (full, 3, 0),
    ]  # fmt: skip
    assert recount.lagging[STREAM].events == 1


def test_what_is_in_no_batch_is_missing_once_the_processors_are_past_it() -> None:
    ledger = Ledger(WINDOW, Fates())
    ledger.take(batch(2, 12, T0 + 1), 0, 0, settled=True)
    rows = [control(0, REVISION, T0), *(event(offset, T0 + 1) for offset in range(10, 16))]
    table, _ = counted(rows, ledger, [entry(0)], committed=15)
    assert table[DESTINATION, T0].missing == 3  # before the batch, and between it and the commit
    assert table[DESTINATION, T0].unbatched == 1


def test_rules_that_nobody_knows_any_more_make_no_difference() -> None:
    ledger = Ledger(WINDOW, Fates())
    ledger.take(batch(4, 10, T0 + 1), 0, 0, settled=True)
    ledger.take(batch(5, 52, T0 + HOUR_MS + 1), 0, 0, settled=True)
    newer = replace(REVISION, number=2)
    rows = [event(10, T0 + 1), event(11, T0 + 2), event(12, T0 + 3), control(50, newer, T0 + HOUR_MS),
            event(52, T0 + HOUR_MS + 1), event(53, T0 + HOUR_MS + 1)]  # fmt: skip
    table, _ = counted(rows, ledger, [entry(50, newer, T0 + HOUR_MS)])
    early, late = table[DESTINATION, T0], table[DESTINATION, T0 + HOUR_MS]
    assert (early.emitted, early.wrong, early.recounted) == (2, 0, False)
    assert (late.emitted, late.wrong, late.recounted) == (2, 0, True)


def test_an_older_control_in_the_log_tells_the_rules_of_before() -> None:
    older, newer = replace(REVISION, actions=["lock.deleted"]), replace(REVISION, number=2)
    rows = [event(9, T0 + 1), control(10, older, T0 + 2), event(11, T0 + HOUR_MS + 1),
            control(12, replace(newer, number=3), T0 + HOUR_MS + 2, Sealer([new_key()])), event(13, T0 + HOUR_MS + 3),
            control(50, newer, T0 + HOUR_MS + 4), event(51, T0 + HOUR_MS + 5)]  # fmt: skip
    table, _ = counted(rows, Ledger(WINDOW, Fates()), [entry(50, newer, T0 + HOUR_MS + 4)])
    assert table[DESTINATION, T0 + HOUR_MS] == Counts(emitted=1, unbatched=1)


def test_what_is_not_collected_is_told_apart_and_what_was_filled_in_counts_once() -> None:
    disabled = replace(REVISION, number=2, state="disabled")
    barred = replace(REVISION, number=3, entitled=False)
    rows = [control(0, REVISION, T0), control(1, disabled, T0), event(2, T0), event(3, T0), event(4, T0),
            control(5, barred, T0), event(6, T0), control(7, replace(REVISION, number=4, state="deleted"), T0),
            event(8, T0)]  # fmt: skip
    entries = [entry(0), entry(1, disabled), entry(5, barred)]
    ledger = Ledger(WINDOW, Fates())
    table, _ = counted(rows, ledger, entries)
    assert table[DESTINATION, T0] == Counts(emitted=4, disabled=3, not_entitled=1)
    backfill = replace(planned(REVISION, HOME, 2, 4, 0), finished=True)
    filled = replace(batch(1, 2, T0), stream=backfill.stream)
    ledger.take(filled, 0, 0, settled=False)
    table, _ = counted(rows, ledger, entries, backfills=[backfill])
    assert table[DESTINATION, T0] == Counts(emitted=4, disabled=1, not_entitled=1, batched=2, waiting=2)


def test_what_was_moved_twice_counts_once_and_what_is_to_be_moved_lags() -> None:
    away = next(f"ws_{number}" for number in range(99) if partition_of(f"ws_{number}", PARTITIONS) != HOME)
    plain = event(5, T0)
    headers = moves.headers(Origin(3, 17), SEALER, HOME, plain.value or b"")
    rows = [control(0, REVISION, T0), replace(plain, headers=headers), replace(plain, offset=6, headers=headers),
            event(7, T0, workspace=away), event(8, T0, workspace=away)]  # fmt: skip
    scopes = frozenset({WORKSPACE, away})
    table, recount = counted(rows, Ledger(WINDOW, Fates()), [entry(0)], scopes=scopes, committed=8)
    assert table[DESTINATION, T0] == Counts(emitted=1, missing=1)
    assert (recount.lagging[""].events, recount.lagging[""].first) == (1, 8)


def test_what_is_owed_lies_together() -> None:
    owings = Owings()
    one = Owed(
        destination="dst_1", place="parked", topic="t", partition=1, first_offset=5, last_offset=5, events=2, oldest=9,
        stream="s", first_sequence=1, last_sequence=1,
    )  # fmt: skip
    for sequence in (1, 2, 2, 3, 7):
        owings.note(replace(one, first_sequence=sequence, last_sequence=sequence, last_offset=5 + sequence))
    owings.note(replace(one, stream="other", oldest=1))
    owings.note(replace(one, first_sequence=4, last_sequence=4, partition=2, first_offset=1, last_offset=1))
    runs = [(run.stream, run.first_sequence, run.last_sequence, run.events, run.partition) for run in owings.runs()]
    assert runs == [("other", 1, 1, 2, 1), ("s", 1, 4, 10, None), ("s", 7, 7, 2, 1)]
