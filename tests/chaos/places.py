"""Where each batch lies, read from the topics: what a receiver lacks must wait somewhere, or be a dead letter.

No clock, no I/O.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from auditcast.console.demo.chains import mark
from auditcast.console.demo.reading import Record
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Batch, DeadLetter, Delivery
from auditcast.schemas.wire import decode_as

HEADER = "auditcast-delivery"
_PARKED = re.compile(r"(parked|released)/(.+)@(\d+)(?:-(\d+))?")
Span = tuple[int, int]
"""The numbers of the first and the last event."""


class Known(Struct, frozen=True):
    """A batch as it first lay in `audit.batches`; every copy must be the same in all of this."""

    destination: str
    stream: str
    sequence: int
    span: Span
    partition: int
    mark: int


class Copy(Struct, frozen=True):
    """A record that holds a batch, or the part `span` of it."""

    topic: str
    partition: int
    offset: int
    span: Span


class Owed(Struct, frozen=True):
    """What receivers lack: events by the kind of place where they wait, and a sentence for each batch in no place."""

    batches: int
    events: int
    waiting: dict[str, int]
    nowhere: list[str]


class Places:
    """Grows with the topics; `strange` are copies unlike their original, in sentences."""

    def __init__(self, topics: Topics) -> None:
        self.strange: list[str] = []
        self.replays = 0
        self._topics = topics
        self._known: dict[str, Known] = {}
        self._copies: defaultdict[str, list[Copy]] = defaultdict(list)
        self._letters: dict[bytes, tuple[str, Span]] = {}
        self._markers: defaultdict[str, set[int]] = defaultdict(set)
        self._released: defaultdict[str, set[Span]] = defaultdict(set)

    @property
    def topics(self) -> list[str]:
        """Those that it is to be given."""
        own = self._topics
        return [own.batches, *own.retries, own.parked, own.dead_letters, own.status]

    def take(self, topic: str, record: Record) -> None:
        """The next record of a partition of one of `topics`."""
        if topic == self._topics.dead_letters:
            self._letter(record)
        elif topic == self._topics.status:
            self._status(record)
        elif record.value:
            self._copy(topic, record, record.value)

    def owed(self, received: Callable[[Known], Iterable[Span]], committed: Mapping[tuple[str, int], int]) -> Owed:
        """What is owed, given what was `received` of a batch, and the deliverers' `committed` offsets by partition."""
        waiting: Counter[str] = Counter()
        nowhere = []
        lacking = {id_: lacks for id_, known in self._known.items() if (lacks := _without(known.span, received(known)))}
        letters = defaultdict(list)
        for batch, span in self._letters.values():
            letters[batch].append(span)
        for id_, lacks in lacking.items():
            known = self._known[id_]
            for event in lacks:
                places = {
                    self._kind(copy.topic)
                    for copy in self._copies[id_]
                    if _in(event, copy.span) and self._live(copy, known, committed)
                }
                if any(_in(event, span) for span in letters[id_]):
                    places.add("dead letter")
                waiting.update(places)
                if not places:
                    copies = ", ".join(f"{copy.topic}@{copy.offset}" for copy in self._copies[id_])
                    nowhere.append(f"event {event} of {id_}; partition {known.partition} has {copies}")
        return Owed(len(lacking), sum(map(len, lacking.values())), dict(waiting), nowhere)

    def _copy(self, topic: str, record: Record, value: bytes) -> None:
        batch = decode_as(Batch, value)
        if batch.is_test:
            return
        span = (batch.first_event, batch.last_event)
        seen = Known(batch.destination, batch.stream, batch.sequence, span, record.partition, mark(value))
        if topic == self._topics.batches:
            self._known.setdefault(batch.id, seen)
        if self._known.get(batch.id, seen) != seen or record.key != batch.destination.encode():
            self.strange.append(f"{topic}/{record.partition}@{record.offset}: unlike the original of {batch.id}")
        delivery = _delivery(record)
        self.replays += bool(delivery.replay)
        if delivery.first_event:
            span = (delivery.first_event, delivery.last_event)
        self._copies[batch.id].append(Copy(topic, record.partition, record.offset, span))

    def _letter(self, record: Record) -> None:
        if record.key is None:
            return
        if not record.value:
            self._letters.pop(record.key, None)
            return
        letter = decode_as(DeadLetter, record.value)
        if letter.topic != self._topics.batches or letter.value is None:
            return
        batch = decode_as(Batch, letter.value)
        span = (letter.first_event, letter.last_event) if letter.first_event else (batch.first_event, batch.last_event)
        self._letters[record.key] = (batch.id, span)
        known = self._known.get(batch.id)
        if known is not None and known.mark != mark(letter.value):
            self.strange.append(f"the dead letter {record.key.decode()}: unlike the original of {batch.id}")

    def _status(self, record: Record) -> None:
        """Where something is parked, and what of it is settled: the keys say it all, and go when it says no more."""
        if match := _PARKED.fullmatch((record.key or b"").decode()):
            destination, first, last = match[2], int(match[3]), int(match[4] or 0)
            held: set[Any] = self._markers[destination] if match[1] == "parked" else self._released[destination]
            change = held.add if record.value else held.discard
            change(first if match[1] == "parked" else (first, last))

    def _live(self, copy: Copy, known: Known, committed: Mapping[tuple[str, int], int]) -> bool:
        if copy.topic != self._topics.parked:
            return copy.offset >= committed.get((copy.topic, copy.partition), 0)
        marked = any(first <= copy.offset for first in self._markers[known.destination])
        return marked and not any(_in(copy.offset, span) for span in self._released[known.destination])

    def _kind(self, topic: str) -> str:
        return "parked" if topic == self._topics.parked else "retry" if topic in self._topics.retries else "waiting"


def _delivery(record: Record) -> Delivery:
    value = dict(record.headers).get(HEADER)
    return decode_as(Delivery, value) if value is not None else Delivery()


def _without(span: Span, received: Iterable[Span]) -> list[int]:
    """The events of `span` that are in none of what was received."""
    spans = list(received)
    return [event for event in range(span[0], span[1] + 1) if not any(_in(event, one) for one in spans)]


def _in(event: int, span: Span) -> bool:
    return span[0] <= event <= span[1]
