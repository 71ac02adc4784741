"""Whatever happened to a destination: its backfills and its own batches together hold every event once.

The histories are those of test_processor.py, with workers that die and events in wrong places; the log may have lost
its beginning.
"""

import random
from collections import Counter

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.console.backfill import Moves, Refill, Row, is_control, planned, reached
from auditcast.console.demo.batches import Batches
from auditcast.console.in_force import partition_in
from auditcast.console.periods import Controls, History, begins_stream, history
from auditcast.kafka.partitioner import partition_of
from auditcast.processors import state
from auditcast.processors.partition import Place
from auditcast.schemas.errors import Refused
from auditcast.schemas.records import AuditEvent, Backfill, Batch, DeadLetter, RevisionInForce
from auditcast.schemas.wire import decode_as, encode
from tests.properties.simulation import PARTITIONS, SEALER, TOPICS, Broker, Record
from tests.properties.simulation import History as World


def row(record: Record) -> Row:
    return Row(record.offset, record.timestamp, record.key, record.value, record.headers)


def told(
    broker: Broker, partition: int, kept: list[RevisionInForce], log_start: int
) -> tuple[History, list[RevisionInForce]]:
    found = Controls(partition, kept, SEALER)
    if not begins_stream(kept[0], partition):
        for record in broker.logs[partition][log_start : kept[0].offset]:
            if is_control(record.value):
                found.take(row(record))
    return history(found.entries, partition, found.gap_at), found.entries


def refilled(broker: Broker, plan: Backfill, log_start: int) -> tuple[list[Batch], Counter[str]]:
    partition = partition_in(plan.stream)
    log = [row(record) for record in broker.logs[partition]]
    moves = Moves(partition, SEALER)
    for record in log[log_start : plan.last_offset + 1]:
        moves.take(record)
    refill = Refill(plan, Place(TOPICS.events, partition, PARTITIONS), moves.newest, SEALER)
    batches = [batch for record in log[max(refill.begin, log_start) : plan.end] for batch in refill.take(record)]
    return batches + refill.finish(), refill.refused


def violation(rng: random.Random, steps: int = 120) -> str | None:
    """What is wrong with the backfills of one history; None if nothing is."""
    world = World(rng)
    world.run(steps)
    broker = world.broker
    for partition in range(PARTITIONS):
        log_start = rng.choice([0, 0, rng.randrange(len(broker.logs[partition]))])
        for name, kept in state.load(broker.links[partition]).revisions.items():
            if kept[-1].revision.state == "deleted":
                continue
            known, entries = told(broker, partition, kept, log_start)
            batches: list[Batch] = []
            too_large = 0
            for period in known.periods:
                first = max(period.first, log_start)
                if first >= period.end:
                    continue
                plan = planned(period.revision, partition, first, period.end, 0)
                made, refused = refilled(broker, plan, log_start)
                half = len(made) // 2
                if made and refilled(broker, reached(plan, made[half]), log_start)[0] != made[half + 1 :]:
                    return f"going on with {plan.stream} gives other batches"
                batches += made
                too_large += refused["too-large"]
            account = Batches()
            for batch in batches:
                account.take(encode(batch))
            if account.faults or account.missing:
                return f"{name} has a broken chain"
            got = ids(batches) + ids(own(broker, name, partition))
            forgotten = set() if log_start == 0 else moved_before(broker, partition, log_start)
            if any(count > 1 and event not in forgotten for event, count in Counter(got).items()):
                return f"{name} gets an event twice"
            if known.unknown_before is None:
                owed = events_of(broker, partition, entries, log_start)
                too_large += sum(at >= log_start for at in letters(broker, name, partition))
                missing = owed - set(got)
                # What was moved here twice, first before the log's start, may be too large without being owed.
                if len(missing) > too_large or (log_start == 0 and len(missing) != too_large):
                    return f"{name} misses {len(missing)} events, {too_large} are too large"
    return None


def moved_before(broker: Broker, partition: int, log_start: int) -> set[str]:
    """Events moved here before the log's start: nobody can tell that they are not new when they are moved again."""
    gone = broker.logs[partition][:log_start]
    return {event[0] for record in gone if record.headers and (event := read(record.value)) is not None}


def own(broker: Broker, name: str, partition: int) -> list[Batch]:
    mine = (batch for batch in broker.batches if (batch.destination, batch.partition) == (name, partition))
    return list({batch.id: batch for batch in mine}.values())


def ids(batches: list[Batch]) -> list[str]:
    return [event["id"] for batch in batches for event in msgspec.json.decode(batch.body)]


def letters(broker: Broker, name: str, partition: int) -> list[int]:
    found = (decode_as(DeadLetter, value) for value in broker.letters.values())
    return [letter.offset for letter in found if (letter.destination, letter.partition) == (name, partition)]


def events_of(broker: Broker, partition: int, entries: list[RevisionInForce], log_start: int) -> set[str]:
    """The events that the destination must have, if it now knows of all that it missed before it last collected."""
    revision = entries[-1].revision
    last = max((at for at, entry in enumerate(entries) if entry.revision.collecting), default=-1)
    uncollected = [entry.offset for entry in entries[last + 1 :]] if last >= 0 else [0]
    end = min(uncollected, default=len(broker.logs[partition]))
    seen: dict[str, int] = {}
    for record in broker.logs[partition][:end]:
        event = read(record.value)
        if event is None or partition_of(event[1], PARTITIONS) != partition:
            continue
        if revision.workspace in (None, event[1]) and revision.organization in (None, event[2]):
            seen.setdefault(event[0], record.offset)
    return {event for event, offset in seen.items() if offset >= log_start}


def read(value: bytes) -> tuple[str, str, str | None] | None:
    if value[:1] == b"{" and len(value) > 1:
        event = msgspec.json.decode(value)
        return event["id"], event["workspaceid"], event.get("organizationid")
    try:
        record = decode_as(AuditEvent, value)
    except Refused:
        return None
    return record.id, record.workspace, record.organization


@given(seed=st.integers(0, 2**32), steps=st.integers(1, 200))
@settings(max_examples=150, deadline=None)
def test_every_event_comes_once(seed: int, steps: int) -> None:
    assert violation(random.Random(seed), steps) is None
