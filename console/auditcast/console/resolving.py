"""Letters that a person calls settled, and the notes about them in the log."""

from collections.abc import Iterable

from msgspec import Struct

from auditcast.console.appends import Appends
from auditcast.console.in_force import partition_in
from auditcast.console.letters import Letter
from auditcast.deliverers.expiring import RESOLVED_BY, RESOLVED_REASON
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.controls import control
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Note
from auditcast.schemas.sealing import Sealer

MOST_WORDS = 500
"""Characters of a reason: it is told once for each batch, and a manifest has to hold all that are told in an hour."""

RESOLVED = "resolved"
"""The kind of these notes."""


class TooManyWords(AuditcastError):
    """A reason is too long to be kept on record."""


class Statement(Struct, frozen=True):
    """Who says that nothing is owed any more, why, and when (ms)."""

    by: str
    because: str
    at: int

    def check(self) -> None:
        """Raise `TooManyWords` for what no manifest can hold."""
        if len(self.because) > MOST_WORDS or len(self.by) > MOST_WORDS:
            raise TooManyWords(
                f"a reason and a name may have {MOST_WORDS} characters each: write the rest elsewhere, and say where"
            )


def of_chain(letter: Letter) -> bool:
    """Whether a stream tells of what the letter holds, so that its manifest must say what became of it."""
    return bool(letter.stream) and letter.sequence > 0


def note_of(letter: Letter, statement: Statement) -> Note:
    """What the stream's next manifest is to say about a letter of a batch."""
    return Note(
        stream=letter.stream,
        sequence=letter.sequence,
        first_event=letter.first_event,
        last_event=letter.last_event,
        kind=RESOLVED,
        by=statement.by,
        because=statement.because,
        at=statement.at,
    )


def resolve(connection: Connection, letters: Iterable[Letter], statement: Statement, sealer: Sealer | None) -> None:
    """Mark `letters` as settled by a person; durable on return.

    With a `sealer` those of batches are noted before in the log of their streams. Raises `BrokerUnavailable`; some may
    be marked then, and doing it again does no harm: at worst a note is there twice.
    """
    topics, letters = Topics(connection.topic_prefix), list(letters)
    appends = Appends(connection)
    if sealer is not None:
        for letter in filter(of_chain, letters):
            partition = partition_in(letter.stream)
            appends.append(topics.events, partition, None, control(note_of(letter, statement), partition, sealer))
        appends.flush()
    headers = [(RESOLVED_BY, statement.by.encode()), (RESOLVED_REASON, statement.because.encode())]
    for letter in letters:
        appends.append(topics.dead_letters, letter.partition, letter.key, None, headers)
    appends.flush()
