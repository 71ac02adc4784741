"""A topic of records that (number, nonce) orders, read by the calling thread: all of it, as of each look."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, Self, TypeVar

from confluent_kafka import Message

from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.schemas import wire
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Revision, Workspace

R = TypeVar("R", Revision, Workspace)


class Survey(Generic[R]):
    """A context manager. What was durable when `look` is called is in what it returns."""

    def __init__(self, connection: Connection, topic: str, kind: type[R]) -> None:
        self.unreadable: set[str] = set()
        """Keys whose last record cannot be read."""
        self._kind: type[R] = kind
        self._scan = Scan(connection, topic)
        self._newest: dict[str, R] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._scan.__exit__()

    def look(self) -> Mapping[str, R]:
        """The newest record of every key. Raises `BrokerUnavailable`, `WrongTopics`, `PartialRead`."""
        for message in self._scan.to_end():
            self._take(message)
        return MappingProxyType(self._newest)

    def wait(self, seconds: float) -> None:
        """Return once something more is there, or after `seconds`."""
        for message in self._scan.after(seconds):
            self._take(message)

    def _take(self, message: Message) -> None:
        key, value = (message.key() or b"").decode(errors="backslashreplace"), message.value()
        self.unreadable.discard(key)
        if value is None:
            self._newest.pop(key, None)
            return
        try:
            record = wire.decode_as(self._kind, value)
        except Undecodable:
            self.unreadable.add(key)
            return
        held = self._newest.get(key)
        if held is None or record.order > held.order:
            self._newest[key] = record


def of_destinations(connection: Connection) -> Survey[Revision]:
    """All destinations, deleted ones too."""
    return Survey(connection, Topics(connection.topic_prefix).destinations, Revision)


def of_workspaces(connection: Connection) -> Survey[Workspace]:
    """All workspaces of which anything is known."""
    return Survey(connection, Topics(connection.topic_prefix).workspaces, Workspace)
