"""Batches that `audit.batches` still holds, as they were first written; copies of them are passed over."""

from typing import cast

from confluent_kafka import Message
from msgspec import Struct

from auditcast.console.ranges import Kept, Range, Span
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch
from auditcast.schemas.wire import decode_as


class Found(Struct, frozen=True):
    """The batches of a range in the order of each stream, and what is held of each stream of the destination."""

    batches: list[Kept]
    spans: dict[str, Span]


def find(connection: Connection, wanted: Range) -> Found:
    """Read the destination's partition to its end, streaming. Raises `BrokerUnavailable`, `PartialRead`."""
    partition = partition_of(wanted.destination, partitions(connection))
    batches: dict[tuple[str, int], Kept] = {}
    spans: dict[str, Span] = {}
    with Scan(connection, Topics(connection.topic_prefix).batches, [partition]) as scan:
        for message in scan.to_end():
            batch = _original(message, wanted.destination)
            if batch is None:
                continue
            spans[batch.stream] = _spanned(spans.get(batch.stream), batch)
            # After a crash a processor may write the same batch again, byte for byte.
            place = (batch.stream, batch.sequence)
            if wanted.holds(batch.stream, batch.sequence, batch.opened) and place not in batches:
                batches[place] = Kept(
                    id=batch.id,
                    stream=batch.stream,
                    sequence=batch.sequence,
                    events=batch.last_event - batch.first_event + 1,
                    partition=partition,
                    offset=cast("int", message.offset()),
                )
    return Found([batches[place] for place in sorted(batches)], spans)


def _original(message: Message, destination: str) -> Batch | None:
    """The batch in a record, unless it is another destination's, a copy, a test, or a manifest, which has no number."""
    if message.key() != destination.encode() or HEADER in dict(
        cast("list[tuple[str, bytes]]", message.headers() or [])
    ):
        return None
    try:
        batch = decode_as(Batch, message.value() or b"")
    except Undecodable:
        return None  # it has become a dead letter
    return None if batch.is_test or batch.is_manifest else batch


def _spanned(span: Span | None, batch: Batch) -> Span:
    if span is None:
        return Span(batch.sequence, batch.sequence, batch.opened)
    if batch.sequence < span.lowest:
        return Span(batch.sequence, span.highest, batch.opened)
    return Span(span.lowest, max(span.highest, batch.sequence), span.opened)
