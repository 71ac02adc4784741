"""What the processors have written down: rules in force, how far each stream is batched, what was batched later."""

from confluent_kafka import Message
from msgspec import Struct, field

from auditcast.console.scanning import Count, Scan
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas import wire
from auditcast.schemas.chain import destination_of
from auditcast.schemas.records import Backfill, Link, Moved, RevisionInForce

Entries = dict[str, list[RevisionInForce]]
"""By destination, in the order of the log."""


class Links(Struct):
    """`entries` and `backfills` by partition, `covered` the last offset that is in a batch, by stream.

    `moved` are the partitions that ever took over an event from another one.
    """

    entries: dict[int, Entries] = field(default_factory=dict)
    backfills: dict[int, dict[str, Backfill]] = field(default_factory=dict)
    covered: dict[str, int] = field(default_factory=dict)
    moved: set[int] = field(default_factory=set)


def read(connection: Connection, wanted: frozenset[str] | None, count: Count) -> Links:
    """All of it, for the destinations in `wanted` (None: all), and what is not compacted away yet beside it.

    What was dropped is a part of history; it is always the oldest that goes, so no list has holes.
    """
    found = Links()
    with Scan(connection, Topics(connection.topic_prefix).links, count) as scan:
        for message in scan.messages(dict.fromkeys(scan.bounds, 0)):
            _take(found, message, wanted)
    for entries in found.entries.values():
        for destination, listed in entries.items():
            entries[destination] = list({entry.offset: entry for entry in sorted(listed, key=_offset)}.values())
    return found


def _take(found: Links, message: Message, wanted: frozenset[str] | None) -> None:
    value, partition = message.value(), message.partition() or 0
    if value is None:
        return
    match wire.decode(value):
        case RevisionInForce() as entry if _is_wanted(entry.revision.destination, wanted):
            entries = found.entries.setdefault(partition, {})
            entries.setdefault(entry.revision.destination, []).append(entry)
        case Link() as link if link.sequence and _is_wanted(destination_of(link.stream), wanted):
            found.covered[link.stream] = max(link.last_offset, found.covered.get(link.stream, -1))
        case Backfill() as backfill if _is_wanted(destination_of(backfill.stream), wanted):
            found.backfills.setdefault(partition, {})[backfill.stream] = backfill
        case Moved():
            found.moved.add(partition)


def _is_wanted(destination: str, wanted: frozenset[str] | None) -> bool:
    return wanted is None or destination in wanted


def _offset(entry: RevisionInForce) -> int:
    return entry.offset
