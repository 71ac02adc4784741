"""The registry of destinations: the topic `audit.destinations`, read to its end and written one revision at a time.

Two consoles may change one destination at the same moment; the log orders them. A writer waits until it reads its own
record back: whatever stands before it in the partition is then known. If that holds a change which it did not know, it
applies its own once more on top, so that both are in force, and the last record of a destination is the highest. A
verdict of the system beside a person's change is void: it was about what the person has changed.
"""

import difflib
import secrets
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from confluent_kafka import KafkaError
from msgspec import Struct
from msgspec.structs import replace

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View
from auditcast.schemas import wire
from auditcast.schemas.errors import AuditcastError, Undecodable
from auditcast.schemas.records import Revision

Change = Callable[[Revision | None], Revision]
"""Makes the next revision from the newest (None: there is none); returns the one given if nothing is to change."""


class UnknownDestination(AuditcastError):
    """There is no destination of this id."""


class Changed(Struct, frozen=True):
    """The revision that counts now, and whether this command wrote it."""

    revision: Revision
    written: bool


class Registry:
    """A context manager; entering it reads the whole topic. Raises `BrokerUnavailable`, `WrongTopics`, `PartialRead`.

    `timeout` in seconds bounds each wait for the broker.
    """

    def __init__(self, connection: Connection, timeout: float = clients.ANSWER_S) -> None:
        self.unreadable: set[str] = set()
        self._connection = connection
        self._topic = Topics(connection.topic_prefix).destinations
        self._timeout = timeout
        self._logged: dict[str, list[Revision]] = {}
        self._arrived = threading.Condition()
        self._view = View(connection, self._topic, on_change=self._take, on_error=self._wake)
        self._appender: Appender | None = None

    def __enter__(self) -> Self:
        self._view.start()
        try:
            # Longer than the view itself waits for a broker, since its error says more than that time is up.
            self._view.wait_caught_up(clients.ANSWER_S + self._timeout)
        except BaseException:
            self._view.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._view.close()

    def all(self) -> list[Revision]:
        """The newest revision of every destination, deleted ones too, in the order of their ids."""
        with self._arrived:
            return [_highest(logged) for _, logged in sorted(self._logged.items())]

    def get(self, destination: str) -> Revision:
        """The newest revision; raises `UnknownDestination`."""
        with self._arrived:
            if destination in self._logged:
                return _highest(self._logged[destination])
            alive = [id_ for id_, logged in self._logged.items() if _highest(logged).state != "deleted"]
        near = difflib.get_close_matches(destination, alive, n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "see 'auditcast destinations list'"
        raise UnknownDestination(f"there is no destination {destination!r}: {hint}")

    def change(self, destination: str, change: Change) -> Changed:
        """Write what `change` makes of the newest revision; durable, and read back, when this returns.

        Raises what `change` raises, then without effect; `BrokerUnavailable` if the effect is not known.
        """
        with self._arrived:
            known = list(self._logged.get(destination, ()))
        newest = _highest(known) if known else None
        wanted = change(newest)
        if wanted is newest:
            return Changed(wanted, written=False)
        while True:
            ours = self._write(wanted, known)
            unknown = self._between(ours, known)
            if not unknown:
                return Changed(ours, written=True)
            known += [*unknown, ours]
            rival = _highest(unknown)
            try:
                wanted = change(rival)
            except AuditcastError:
                # It forbids ours (it deleted the destination, for example), which may lie over it: put it back.
                self._write(rival, known)
                raise

    def _write(self, wanted: Revision, known: list[Revision]) -> Revision:
        """Append `wanted` above everything known, and wait until it is read back."""
        revision = replace(
            wanted,
            number=1 + max((each.number for each in known), default=0),
            nonce=secrets.token_hex(8),
            changed_at=time.time_ns() // 1_000_000,
        )
        if self._appender is None:
            self._appender = Appender(self._connection, self._timeout)
        self._appender.append(self._topic, revision.destination, wire.encode(revision))
        with self._arrived:
            seen = self._arrived.wait_for(
                lambda: self._view.error or revision in self._logged.get(revision.destination, ()), self._timeout
            )
        self._view.check()
        if not seen:
            raise BrokerUnavailable(f"{self._topic} took the change but cannot be read: look whether it is there")
        return revision

    def _between(self, ours: Revision, known: list[Revision]) -> list[Revision]:
        """What the log holds before `ours` that was not known when it was made, and that it does not make void."""
        with self._arrived:
            logged = self._logged[ours.destination]
            before = logged[: logged.index(ours)]
        return [each for each in before if each not in known and not (is_verdict(each) and each.order < ours.order)]

    def _take(self, key: bytes, value: bytes | None) -> None:
        id_ = key.decode(errors="backslashreplace")
        with self._arrived:
            if value is None:
                self._logged.pop(id_, None)
            else:
                self._read(id_, value)
            self._arrived.notify_all()

    def _read(self, id_: str, value: bytes) -> None:
        try:
            revision = wire.decode_as(Revision, value)
        except Undecodable:
            self.unreadable.add(id_)
        else:
            self._logged.setdefault(id_, []).append(revision)

    def _wake(self, _error: Exception) -> None:
        with self._arrived:
            self._arrived.notify_all()


def is_verdict(revision: Revision) -> bool:
    """Whether the system made it, not a person: its nonce is below any that is drawn here."""
    return revision.nonce.startswith("-")


class Appender:
    """Appends single records. The first costs half a second, for which librdkafka waits before it asks for an id."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """`timeout` in seconds bounds each wait for the broker."""
        self._connection = connection
        self._timeout = timeout
        self._producer = clients.producer(connection, message_timeout_ms=int(timeout * 1000))

    def append(self, topic: str, key: str, value: bytes | None) -> None:
        """Append one record; all replicas have it when this returns. Raises `BrokerUnavailable`."""
        answers: list[KafkaError | None] = []
        self._producer.produce(topic, key=key.encode(), value=value, on_delivery=lambda error, _: answers.append(error))
        self._producer.flush(self._timeout + 1)
        if not answers:
            raise BrokerUnavailable(f"{topic} has not confirmed the change: look whether it is there, and repeat it")
        if answers[0] is not None:
            raise clients.translated(answers[0], self._connection)


def append(connection: Connection, topic: str, key: str, value: bytes | None, timeout: float) -> None:
    """Append one record alone; see `Appender`."""
    Appender(connection, timeout).append(topic, key, value)


def _highest(logged: list[Revision]) -> Revision:
    return max(logged, key=lambda revision: revision.order)
