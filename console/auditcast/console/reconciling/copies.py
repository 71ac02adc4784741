"""Copies of batches that are on their way: those that wait for a retry, and those that are parked."""

from collections.abc import Callable, Iterator
from typing import cast

from confluent_kafka import Message
from msgspec import Struct

from auditcast.console.reconciling.commits import Places
from auditcast.console.reconciling.counts import Fate
from auditcast.console.reconciling.intervals import Span
from auditcast.console.reconciling.owed import Owed, Place, of_batch
from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.deliverers.shards import parked_places
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, Delivery
from auditcast.schemas.wire import decode_as

IsWanted = Callable[[Message], bool]


class Copy(Struct, frozen=True, gc=False):
    """One that nobody has settled, of the events with the numbers in `span`."""

    owed: Owed
    fate: Fate
    span: Span


def retries(connection: Connection, commits: Places, wanted: IsWanted, count: Count) -> Iterator[Copy]:
    """What waits for its next attempt, given what deliverers have settled of the retry topics."""
    for topic in Topics(connection.topic_prefix).retries:
        with Scan(connection, topic, count) as scan:
            starts = {partition: commits[topic, partition].offset for partition in scan.bounds}
            for message in scan.messages(starts):
                partition, offset = cast("tuple[int, int]", (message.partition(), message.offset()))
                if wanted(message) and not commits[topic, partition].settled(offset):
                    yield from _copy(message, Fate.RETRYING)


class Backlog:
    """What of each destination is parked: behind a marker, and not in a stretch that was released; see parking.py."""

    def __init__(self, connection: Connection, count: Count) -> None:
        keys: set[bytes] = set()
        with Scan(connection, Topics(connection.topic_prefix).status, count) as scan:
            for message in scan.messages(dict.fromkeys(scan.bounds, 0)):
                (keys.discard if message.value() is None else keys.add)(message.key() or b"")
        self._connection = connection
        self._count = count
        self._markers, self._spans = parked_places(keys)

    def copies(self, wanted: IsWanted) -> Iterator[Copy]:
        """All that waits."""
        if not self._markers:
            return
        first = min(min(offsets) for offsets in self._markers.values())
        with Scan(self._connection, Topics(self._connection.topic_prefix).parked, self._count) as scan:
            for message in scan.messages(dict.fromkeys(scan.bounds, first)):
                if wanted(message) and self._waits(message):
                    yield from _copy(message, Fate.PARKED)

    def _waits(self, message: Message) -> bool:
        name, offset = (message.key() or b"").decode(errors="replace"), message.offset() or 0
        marked = any(marker <= offset for marker in self._markers.get(name, ()))
        return marked and not any(first <= offset <= last for first, last in self._spans.get(name, ()))


def _copy(message: Message, fate: Fate) -> Iterator[Copy]:
    """The copy, unless it brings no events, or sends again what has its own fate already."""
    found = dict(headers_of(message)).get(HEADER)
    try:
        batch = decode_as(Batch, message.value() or b"")
        delivery = Delivery() if found is None else decode_as(Delivery, found)
    except Undecodable:
        return  # it becomes a dead letter
    if batch.is_test or batch.is_manifest or delivery.replay:
        return
    span = (delivery.first_event or batch.first_event, delivery.last_event or batch.last_event)
    place = Place(message.topic() or "", *cast("tuple[int, int]", (message.partition(), message.offset())))
    yield Copy(of_batch(batch, span, fate, place), fate, span)
