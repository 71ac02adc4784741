"""Dead letters that will expire soon, found by reading their topic once an hour, in bounded memory."""

import hashlib
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from auditcast.deliverers.alerts.alert import Ageing
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.wire import decode_as

KEPT = 100_000
"""Old letters of one partition that are told apart, about 200 B each; of more, some resolved ones count as owed."""

WAKE_S = 0.5
"""How often a scan that waits for the broker looks whether it is to end."""


class Ages:
    """The old letters of one partition, taken in record by record. `before`: of those made earlier, in ms."""

    def __init__(self, before: int, kept: int = KEPT) -> None:
        self._before = before
        self._kept = kept
        self._owed: dict[bytes, tuple[str, int]] = {}
        self._beyond: dict[str, Ageing] = {}

    def note(self, key: bytes, value: bytes | None, at: int) -> None:
        """A record; a newer one of the same key takes the older one's place, and none at all its name from the list."""
        place = hashlib.blake2b(key, digest_size=16).digest()
        self._owed.pop(place, None)
        if value is None or at >= self._before:
            return
        try:
            destination = decode_as(DeadLetter, value).destination
        except Undecodable:
            return  # nobody's that could be told
        if destination is None:
            return
        if len(self._owed) < self._kept:
            self._owed[place] = (destination, at)
        else:
            self._beyond[destination] = _with(self._beyond.get(destination), Ageing(1, at))

    def found(self) -> dict[str, Ageing]:
        """The old letters that are owed, by destination."""
        found = dict(self._beyond)
        for destination, at in self._owed.values():
            found[destination] = _with(found.get(destination), Ageing(1, at))
        return found


def scan(connection: Connection, topic: str, before: int, ended: Callable[[], bool]) -> dict[str, Ageing]:
    """Read `topic` to its end, or until `ended` says that nobody wants to know any more. Blocks.

    Raises an `AuditcastError` if the broker cannot be asked.
    """
    found: dict[str, Ageing] = {}
    for partition in clients.Admin(connection).bounds(topic):
        ages = _read(connection, TopicPartition(topic, partition, OFFSET_BEGINNING), before, ended)
        for destination, ageing in ages.found().items():
            found[destination] = _with(found.get(destination), ageing)
    return found


def _read(connection: Connection, place: TopicPartition, before: int, ended: Callable[[], bool]) -> Ages:
    """One partition, to its end or to the first record that is newer than this scan."""
    ages, began = Ages(before), int(time.time() * 1000)
    reader = clients.reader(connection)
    try:
        reader.assign([place])
        while not ended():
            message = reader.poll(WAKE_S)
            if message is None:
                continue
            error, at = message.error(), message.timestamp()[1]
            if error is None:
                ages.note(message.key() or b"", message.value(), at)
            elif error.code() != KafkaError._PARTITION_EOF:
                raise clients.translated(error, connection)
            if error is not None or at > began:
                break
    finally:
        reader.close()
    return ages


def _with(known: Ageing | None, more: Ageing) -> Ageing:
    return more if known is None else Ageing(known.count + more.count, min(known.oldest, more.oldest))
