"""Records that could not be read, appended once more to the topic that they came from; each letter ends with that.

Both writes are one transaction, so that neither an interruption nor a second operator gives an event to the log twice:
who begins later ends the other's transaction, and sees what that one has done.
"""

import time
from collections.abc import Callable, Iterator, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import Struct

from auditcast.console.appends import Headers
from auditcast.console.interrupts import Interrupts
from auditcast.console.letters import Letter
from auditcast.console.mailbag import Mailbag
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions
from auditcast.processors import moves
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import DeadLetter

AT_ONCE = 100
"""Letters in one transaction."""

HELD_UP_MS = 10_000
"""A transaction that its command did not live to end holds up the readers of the log for so long, and no longer."""

BEGIN_S = 30.0
DROPPED = {HEADER, moves.FROM, moves.MAC}
"""Headers that belong to the old place: the log would take an event that was moved there before for a repeat."""

_FENCED = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}


class Overtaken(AuditcastError):
    """Another command does the same."""


class Appended(Struct, frozen=True):
    """What became of the letters: `again` are in the log once more, `elsewhere` were settled by somebody else."""

    again: int = 0
    elsewhere: int = 0


class Record(Struct, frozen=True):
    """A record to append."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def record_of(letter: DeadLetter, topics: Topics, count: int) -> Record:
    """What a letter holds, for the topic and the partition, of `count`, where it can be read now."""
    return Record(
        topic=topics.events if letter.topic == topics.events else topics.batches,
        # Without a key it was meant for the partition in which it lay, or is moved on from any.
        partition=partition_of(letter.key.decode(errors="replace"), count) if letter.key else letter.partition,
        key=letter.key,
        value=letter.value,
        headers=[(header.name, header.value) for header in letter.headers if header.name not in DROPPED],
    )


def append_again(  # noqa: PLR0913  (what is done, where, how fast, and who may watch and stop it)
    connection: Connection,
    mailbag: Mailbag,
    letters: Sequence[Letter],
    *,
    rate: float | None,
    interrupts: Interrupts,
    show: Callable[[int], None],
) -> Appended:
    """Append what `letters` hold, and end them; stops between two transactions.

    Raises `Overtaken`, `BrokerUnavailable`; what was done until then is done.
    """
    producer = clients.producer(
        connection, transactional_id=f"{connection.topic_prefix}.replay", transaction_timeout_ms=HELD_UP_MS
    )
    topics, count = Topics(connection.topic_prefix), partitions(connection)
    done = Appended()
    chunk = min(AT_ONCE, max(1, int(rate))) if rate else AT_ONCE
    try:
        producer.init_transactions(BEGIN_S)
        mailbag.refresh()
        for begin in range(0, len(letters), chunk):
            if interrupts.asked:
                break
            if rate and begin:
                time.sleep(chunk / rate)
            owed = [letter for letter in letters[begin : begin + chunk] if letter.key in mailbag.letters]
            records = {letter: record_of(whole, topics, count) for letter, whole in _whole(mailbag, owed)}
            _transaction(producer, topics.dead_letters, records)
            again = len(records)
            done = Appended(done.again + again, done.elsewhere + len(letters[begin : begin + chunk]) - again)
            show(done.again + done.elsewhere)
    except KafkaException as failed:
        error: KafkaError = failed.args[0]
        if error.code() in _FENCED:
            raise Overtaken("another replay of unreadable records has begun: let it finish") from None
        raise clients.translated(error, connection) from None
    return done


def _whole(mailbag: Mailbag, letters: Sequence[Letter]) -> Iterator[tuple[Letter, DeadLetter]]:
    for letter in letters:
        newest = mailbag.letters[letter.key]
        whole = mailbag.whole(newest)
        if whole is not None:
            yield newest, whole


def _transaction(producer: Producer, dead_letters: str, records: dict[Letter, Record]) -> None:
    producer.begin_transaction()
    for letter, record in records.items():
        producer.produce(record.topic, record.value, record.key, record.partition, headers=list(record.headers))
        producer.produce(dead_letters, None, letter.key.encode(), letter.partition)
    producer.commit_transaction()
