"""The dead letters as they lie in their topic: the newest record of each key counts, a tombstone ends it."""

from collections.abc import Iterator
from typing import Self, cast

from confluent_kafka import Message
from msgspec import Struct

from auditcast.console.letters import Letter, letter_in
from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Lookup, Scan
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError, Undecodable
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.wire import decode_as


class NoSuchLetter(AuditcastError):
    """There is no dead letter of this key."""


class Change(Struct, frozen=True):
    """What one record of the dead letters says: of the letter `key`, which is None once it is resolved.

    `headers` are the record's: those of a tombstone say who resolved it, if that was a person.
    """

    key: str
    letter: Letter | None
    headers: dict[str, bytes]


class Mailbag:
    """A context manager; entering it reads the whole topic, streaming. Raises `BrokerUnavailable`, `PartialRead`.

    `letters` are those that are owed now, by their keys, and `unreadable` the keys of records that are none.
    """

    def __init__(self, connection: Connection) -> None:
        self.letters: dict[str, Letter] = {}
        self.unreadable: set[str] = set()
        self._topics = Topics(connection.topic_prefix)
        self._scan = Scan(connection, self._topics.dead_letters)
        self._lookup = Lookup(connection, self._topics.dead_letters)

    def __enter__(self) -> Self:
        try:
            self.refresh()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._scan.__exit__()
        self._lookup.__exit__()

    def refresh(self) -> None:
        """Take in everything that was appended until now."""
        for message in self._scan.to_end():
            self._take(message)

    def changes(self, wait_s: float) -> Iterator[Change]:
        """Take in what was appended meanwhile, and say what it is; waits at most `wait_s` seconds for it."""
        for message in self._scan.after(wait_s):
            change = self._take(message)
            if change is not None:
                yield change

    def get(self, key: str) -> Letter:
        """A letter by its key; raises `NoSuchLetter`."""
        if key not in self.letters:
            raise NoSuchLetter(f"there is no dead letter {key!r}: see 'auditcast dead-letters list --each'")
        return self.letters[key]

    def whole(self, letter: Letter) -> DeadLetter | None:
        """The letter with its bytes, read again; None if it was resolved, replaced or expired since."""
        message = self._lookup.get(letter.partition, letter.offset)
        if message is None or _key(message) != letter.key or message.value() is None:
            return None
        return decode_as(DeadLetter, message.value() or b"")

    def _take(self, message: Message) -> Change | None:
        key, value = _key(message), message.value()
        self.letters.pop(key, None)
        self.unreadable.discard(key)
        if value is None:
            headers = cast("list[tuple[str, bytes | None]] | None", message.headers()) or []
            return Change(key, None, {name: content or b"" for name, content in headers})
        place = cast("tuple[int, int]", (message.partition(), message.offset()))
        try:
            letter = letter_in(message.key() or b"", *place, value, self._topics)
        except Undecodable:
            self.unreadable.add(key)
            return None
        self.letters[key] = letter
        return Change(key, letter, {})


def _key(message: Message) -> str:
    return (message.key() or b"").decode(errors="backslashreplace")
