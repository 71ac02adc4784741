"""What could not be delivered in all the time that it is kept: given up, and noted in the log of its stream.

So the stream's next manifest says what became of it. A note is durable before what it is about is taken away, and what
was taken away is not found again; a crash between the two leads to a second note that says the same.
"""

from msgspec import Struct

from auditcast.deliverers.fate import Append
from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.schemas.controls import control
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, DeadLetter, Note
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode_as

RESOLVED_BY = "resolved-by"
RESOLVED_REASON = "resolved-reason"
"""Headers of a dead letter's tombstone, both in UTF-8, unless it was written since its batch was delivered."""

EXPIRED = "expired"
"""The kind of these notes."""

US = "auditcast"
"""Who writes the tombstones of letters that have expired."""

MARGIN_MS = 7_200_000
AT_ONCE = 1_000
"""Letters of one partition that are given up before it is read again."""


class Expired(Struct, frozen=True):
    """A dead letter that is given up: its key, and the note about its batch, for `partition` of the log."""

    key: bytes
    partition: int
    note: Note


def given_up_before(retention: int, now: int) -> int:
    """What was written before that time, in ms, is given up: soon the broker may remove it."""
    return now - retention + min(MARGIN_MS, retention // 30)


def note_of(batch: Batch, first: int, last: int, because: str, now: int) -> Note:
    """That the events `first` to `last` (0: all) of a batch have expired."""
    return Note(
        stream=batch.stream,
        sequence=batch.sequence,
        first_event=first or batch.first_event,
        last_event=last or batch.last_event,
        kind=EXPIRED,
        by="",
        because=because,
        at=now,
    )


def noted(topics: Topics, note: Note, partition: int, sealer: Sealer) -> Append:
    """The record that puts `note` into the log of its stream, which is in `partition`."""
    return Append(topics.events, b"", control(note, partition, sealer), partition=partition)


def removed(topics: Topics, letter: Expired, partition: int) -> Append:
    """The record that takes a dead letter away, which lies in `partition` of theirs."""
    headers = [(RESOLVED_BY, US.encode()), (RESOLVED_REASON, letter.note.because.encode())]
    return Append(topics.dead_letters, letter.key, None, headers, partition)


class Letters:
    """The dead letters of batches that were written before a time, of one partition, taken in record by record."""

    def __init__(self, before: int, now: int) -> None:
        self._before = before
        self._now = now
        self._old: dict[bytes, Expired] = {}

    @property
    def found(self) -> list[Expired]:
        """Those that are owed still."""
        return list(self._old.values())

    def take(self, key: bytes, value: bytes | None, at: int) -> None:
        """A record, written at `at` ms; it takes the place of an older one of its key."""
        self._old.pop(key, None)
        if value is None or at >= self._before or len(self._old) >= AT_ONCE:
            return
        try:
            letter = decode_as(DeadLetter, value)
            batch = decode_as(Batch, letter.value or b"") if letter.destination is not None else None
        except Undecodable:
            return  # it is of no batch, so no chain tells of it
        if batch is not None and batch.stream and batch.sequence:
            because = f"it was a dead letter ({letter.reason}) for as long as these are kept"
            note = note_of(batch, letter.first_event, letter.last_event, because, self._now)
            self._old[key] = Expired(key, batch.partition, note)


def old_letters(connection: Connection, partition: int, before: int, now: int) -> list[Expired]:
    """The dead letters of batches in one partition that were written before `before` ms, as of `now`. Blocks."""
    letters = Letters(before, now)
    with Scan(connection, Topics(connection.topic_prefix).dead_letters, [partition]) as scan:
        for message in scan.to_end():
            at = message.timestamp()[1]
            if at >= before and not letters.found:
                break  # what follows is younger still
            letters.take(message.key() or b"", message.value(), at)
    return letters.found
