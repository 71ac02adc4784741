"""Gathers from all topics what became of one event; what follows from it is told in tracing.py."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from confluent_kafka import Message
from msgspec.structs import replace

from auditcast.console.in_batches import InBatch, concerns, in_batch
from auditcast.console.in_force import Standing
from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.console.seeking import SKEW_MS
from auditcast.console.sightings import Sighting
from auditcast.console.tracing import Evidence, Letter
from auditcast.deliverers.shards import parked_places
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.processors.reader import LogReader
from auditcast.processors.state import before
from auditcast.schemas.avro_events import to_cloudevent
from auditcast.schemas.records import Attempted, AuditEvent, DeadLetter, Delivery, Revision, RevisionInForce
from auditcast.schemas.selection import selection
from auditcast.schemas.wire import decode_as


class Gatherer:
    """Reads the topics; `count` hears of every record. All methods raise `BrokerUnavailable`."""

    def __init__(self, connection: Connection, count: Count) -> None:
        self._connection = connection
        self._topics = Topics(connection.topic_prefix)
        self._count = count

    def evidence(self, event: str, seen: Sighting, revisions: Sequence[Revision]) -> list[Evidence]:
        """What the topics hold of the event for each of the destinations; `seen` is where it lies."""
        if not revisions:
            return []
        reader = LogReader(self._connection)
        try:
            committed = reader.committed(seen.partition)
        finally:
            reader.close()
        found = [self._collected(revision, seen, committed) for revision in revisions]
        batches = self._batches(event, seen, {each.revision.destination: each.wanted for each in found})
        found = [replace(each, batch=batches.get(each.revision.destination)) for each in found]
        letters = self._letters(seen, [each.batch for each in found if each.batch is not None])
        return [self._delivered(each, letters, seen) for each in found]

    def _collected(self, revision: Revision, seen: Sighting, committed: int | None) -> Evidence:
        with Standing(self._connection, revision.destination) as standing:
            entries = standing.entries(seen.partition)
            link = standing.links.get(entries[-1].stream) if entries else None
        covered = -1 if link is None or link.sequence == 0 else link.last_offset
        wanted = _wanted(before(entries, seen.offset), seen)
        return Evidence(revision=revision, entries=entries, covered=covered, committed=committed, wanted=wanted)

    def _batches(self, event: str, seen: Sighting, destinations: Mapping[str, bool]) -> dict[str, InBatch]:
        """The first batch of each destination that holds the event: by the processor, or by a backfill.

        With each goes whether its filters let the event through.
        """
        left = {name.encode(): name for name in destinations}
        found: dict[str, InBatch] = {}
        with Scan(self._connection, self._topics.batches, self._count) as scan:
            partitions = {partition_of(name, len(scan.bounds)) for name in destinations}
            for message in scan.messages(scan.places(seen.timestamp - SKEW_MS, partitions)):
                name = left.get(message.key() or b"")
                if name is None:
                    continue
                place = message.partition() or 0, message.offset() or 0, message.timestamp()[1]
                batch = in_batch(message.value() or b"", event, seen, place, wanted=destinations[name])
                if batch is not None:
                    found[name] = batch
                    del left[name.encode()]
                    if not left:
                        break
        return found

    def _letters(self, seen: Sighting, batches: Iterable[InBatch]) -> dict[str, Letter]:
        """Dead letters of the event itself, or of the batches, by key; those that are resolved are taken out."""
        begin = (f"{self._topics.events}/{seen.partition}@{seen.offset}", *(batch.id for batch in batches))
        letters: dict[str, Letter] = {}
        with Scan(self._connection, self._topics.dead_letters, self._count) as scan:
            for message in scan.messages(scan.places(seen.timestamp - SKEW_MS)):
                key, value = (message.key() or b"").decode(errors="backslashreplace"), message.value()
                if not key.startswith(begin):
                    continue
                if value is None:
                    letters.pop(key, None)
                    continue
                letter = decode_as(DeadLetter, value)
                letters[key] = Letter(
                    key=key,
                    at=letter.at,
                    reason=letter.reason,
                    detail=letter.detail,
                    first_event=letter.first_event,
                    last_event=letter.last_event,
                )
        return letters

    def _delivered(self, evidence: Evidence, letters: Mapping[str, Letter], seen: Sighting) -> Evidence:
        """`evidence` with what became of the batch, if there is one, or of the event."""
        batch, name = evidence.batch, evidence.revision.destination
        if batch is None:
            event = f"{self._topics.events}/{seen.partition}@{seen.offset}"
            mine = [letters[key] for key in (event, f"{event}/{name}") if key in letters]
            return replace(evidence, letters=mine)
        mine = [letter for key, letter in letters.items() if key == batch.id or key.startswith(f"{batch.id}-")]
        attempts = self._attempts(batch, name)
        tier = attempts[-1].fate.removeprefix("retry-") if attempts else ""
        due = None
        if tier.isdecimal():
            copy = self._copy(self._topics.retries[int(tier) - 1], batch, attempts[-1].attempt.at)
            due = None if copy is None else copy[2].not_before
        parked = self._copy(self._topics.parked, batch, batch.at)
        waits = parked is not None and self._waits(name, parked[0])
        return replace(
            evidence,
            letters=mine,
            attempts=attempts,
            due=due,
            parked_since=parked[1] if parked is not None and waits else None,
        )

    def _attempts(self, batch: InBatch, destination: str) -> list[Attempted]:
        found = []
        for message in self._of(self._topics.attempts, destination, batch.at):
            if batch.id.encode() in (message.value() or b""):
                attempted = decode_as(Attempted, message.value() or b"")
                if attempted.batch == batch.id and concerns(attempted.first_event, attempted.last_event, batch):
                    found.append(attempted)
        return found

    def _copy(self, topic: str, batch: InBatch, at: int) -> tuple[int, int, Delivery] | None:
        """The newest copy of the batch in a topic: its offset, when the first was made, and what it carries.

        `at` ms is before all of them. What is parked is copied to the topic's end at each try.
        """
        newest = None
        with Scan(self._connection, topic, self._count) as scan:
            for message in scan.messages(scan.places(at - SKEW_MS, [batch.partition])):
                if batch.id.encode() in (message.value() or b"")[:1000]:
                    carried = dict(headers_of(message)).get(HEADER)
                    delivery = Delivery() if carried is None else decode_as(Delivery, carried)
                    if concerns(delivery.first_event, delivery.last_event, batch):
                        newest = (message.offset() or 0, newest[1] if newest else message.timestamp()[1], delivery)
        return newest

    def _waits(self, destination: str, offset: int) -> bool:
        """Whether what lies at `offset` of the parked topic is still to be sent: marked, and in no span released."""
        keys: set[bytes] = set()
        with Scan(self._connection, self._topics.status, self._count) as scan:
            for message in scan.messages(dict.fromkeys(scan.bounds, 0)):
                (keys.add if message.value() else keys.discard)(message.key() or b"")
        markers, spans = parked_places(keys)
        marked = any(first <= offset for first in markers.get(destination, ()))
        return marked and not any(first <= offset <= last for first, last in spans.get(destination, ()))

    def _of(self, topic: str, key: str, at: int) -> Iterator[Message]:
        """The records of one key that may have been written at `at` ms or later."""
        with Scan(self._connection, topic, self._count) as scan:
            partition = partition_of(key, len(scan.bounds))
            for message in scan.messages(scan.places(at - SKEW_MS, [partition])):
                if message.key() == key.encode():
                    yield message


def _wanted(entry: RevisionInForce | None, seen: Sighting) -> bool:
    """Whether the filters that were in force let the event through; so they do if none were, or it is not known."""
    selects = None if entry is None else selection(entry.revision)
    if entry is None or selects is None or seen.content is None:
        return True
    event = seen.content
    if isinstance(event, AuditEvent):
        event = to_cloudevent(event, entry.revision.base_url, entry.revision.type_prefix)
    return selects(event)
