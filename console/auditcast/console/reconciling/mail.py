"""The dead letters that are owed, and those that a person has settled."""

from typing import cast

from confluent_kafka import Message
from msgspec import Struct

from auditcast.console.reconciling.counts import Fate
from auditcast.console.reconciling.intervals import Span
from auditcast.console.reconciling.owed import REFUSED, UNREADABLE, Owed, Place, of_batch
from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.deliverers.expiring import RESOLVED_BY, US
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, DeadLetter
from auditcast.schemas.wire import decode_as


class Letter(Struct, frozen=True, gc=False):
    """One that is owed: of the events of a batch with the numbers in `span`, or (None) of one event from the log.

    `sender` is the key of the record that it holds.
    """

    owed: Owed
    span: Span | None
    sender: str


class Mail(Struct, frozen=True):
    """`letters` by their keys, `ended` how those ended that were not delivered, as far back as that is kept."""

    letters: dict[str, Letter]
    ended: dict[str, Fate]


def read(connection: Connection, wanted: frozenset[str] | None, count: Count) -> Mail:
    """All dead letters for the destinations in `wanted`, and those for nobody; None: for all."""
    mail = Mail({}, {})
    with Scan(connection, Topics(connection.topic_prefix).dead_letters, count) as scan:
        for message in scan.messages(dict.fromkeys(scan.bounds, 0)):
            _take(mail, message, wanted)
    return mail


def _take(mail: Mail, message: Message, wanted: frozenset[str] | None) -> None:
    key, value = (message.key() or b"").decode(errors="backslashreplace"), message.value()
    mail.letters.pop(key, None)
    mail.ended.pop(key, None)
    if value is None:
        by = dict(headers_of(message)).get(RESOLVED_BY)
        if by is not None:
            mail.ended[key] = Fate.EXPIRED if by == US.encode() else Fate.RESOLVED
        return
    try:
        letter = decode_as(DeadLetter, value)
    except Undecodable:
        return  # 'dead-letters list' names it
    if letter.destination is None or wanted is None or letter.destination in wanted:
        found = _letter(key, letter, message)
        if found is not None:
            mail.letters[key] = found


def _letter(key: str, letter: DeadLetter, message: Message) -> Letter | None:
    """The letter; None if it is of something that brings no events."""
    place = Place(message.topic() or "", *cast("tuple[int, int]", (message.partition(), message.offset())))
    sender = (letter.key or b"").decode(errors="backslashreplace")
    batch = _batch(letter)
    if batch is None:
        owed = Owed(
            destination=letter.destination,
            place=UNREADABLE if letter.destination is None else REFUSED,
            topic=place.topic,
            partition=place.partition,
            first_offset=place.offset,
            last_offset=place.offset,
            events=1,
            oldest=letter.at,
            key=key,
        )
        return Letter(owed, None, sender)
    if batch.is_test or batch.is_manifest:
        return None
    span = (letter.first_event or batch.first_event, letter.last_event or batch.last_event)
    return Letter(of_batch(batch, span, Fate.DEAD, place, key), span, sender)


def _batch(letter: DeadLetter) -> Batch | None:
    if letter.destination is None:
        return None
    try:
        return decode_as(Batch, letter.value or b"")
    except Undecodable:
        return None
