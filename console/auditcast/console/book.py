"""A compacted topic whose records (number, nonce) orders: read to its end, and written one record at a time.

Two consoles may change the same thing at the same moment; the log orders them. A writer waits until it reads its own
record back: whatever stands before it in the partition is then known. If that holds a change which it did not know, it
applies its own once more on top, so that both are in force, and the last record of a key is the highest. A verdict of
the system beside a person's change is void: it was about what the person has changed.
"""

import difflib
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Generic, Self, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from auditcast.console.appender import Appender
from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View
from auditcast.schemas import wire
from auditcast.schemas.errors import AuditcastError, Undecodable
from auditcast.schemas.records import Revision, Workspace

R = TypeVar("R", Revision, Workspace)


class Changed(Struct, Generic[R], frozen=True):
    """The record that counts now, and whether this command wrote it."""

    revision: R
    written: bool


class Book(Generic[R]):
    """A context manager; entering it reads the whole topic. Raises `BrokerUnavailable`, `WrongTopics`, `PartialRead`.

    `key_of` gives the key of a record; `timeout` in seconds bounds each wait for the broker.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        kind: type[R],
        key_of: Callable[[R], str],
        timeout: float = clients.ANSWER_S,
    ) -> None:
        self.unreadable: set[str] = set()
        self.connection = connection
        self._topic = topic
        self._kind: type[R] = kind
        self._key_of: Callable[[R], str] = key_of
        self._timeout = timeout
        self._logged: dict[str, list[R]] = {}
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

    def all(self) -> list[R]:
        """The newest record of every key, in the order of the keys."""
        with self._arrived:
            return [highest(logged) for _, logged in sorted(self._logged.items())]

    def find(self, key: str) -> R | None:
        """The newest record of a key."""
        with self._arrived:
            logged = self._logged.get(key)
            return highest(logged) if logged else None

    def change(self, key: str, change: Callable[[R | None], R]) -> Changed[R]:
        """Write what `change` makes of the newest record; durable, and read back, when this returns.

        Raises what `change` raises, then without effect; `BrokerUnavailable` if the effect is not known.
        """
        with self._arrived:
            known: list[R] = list(self._logged.get(key, ()))
        newest = highest(known) if known else None
        wanted = change(newest)
        if wanted is newest:
            return Changed(wanted, written=False)
        while True:
            ours = self._write(wanted, known)
            unknown = self._between(ours, known)
            if not unknown:
                return Changed(ours, written=True)
            known.extend(unknown)
            known.append(ours)
            rival = highest(unknown)
            try:
                wanted = change(rival)
            except AuditcastError:
                # It forbids ours (it deleted the destination, for example), which may lie over it: put it back.
                self._write(rival, known)
                raise

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Whether `holds`, asked again after each record that arrives, came true within `timeout` seconds."""
        with self._arrived:
            return self._arrived.wait_for(lambda: self._view.error is not None or holds(), timeout) and holds()

    def _write(self, wanted: R, known: list[R]) -> R:
        """Append `wanted` above everything known, and wait until it is read back."""
        revision = replace(
            wanted,
            number=1 + max((each.number for each in known), default=0),
            nonce=secrets.token_hex(8),
            changed_at=time.time_ns() // 1_000_000,
        )
        if self._appender is None:
            self._appender = Appender(self.connection, self._timeout)
        key = self._key_of(revision)
        self._appender.append(self._topic, key, wire.encode(revision))
        with self._arrived:
            seen = self._arrived.wait_for(
                lambda: self._view.error or revision in self._logged.get(key, ()), self._timeout
            )
        self._view.check()
        if not seen:
            raise BrokerUnavailable(f"{self._topic} took the change but cannot be read: look whether it is there")
        return revision

    def _between(self, ours: R, known: list[R]) -> list[R]:
        """What the log holds before `ours` that was not known when it was made, and that it does not make void."""
        with self._arrived:
            logged = self._logged[self._key_of(ours)]
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
            revision = wire.decode_as(self._kind, value)
        except Undecodable:
            self.unreadable.add(id_)
        else:
            self._logged.setdefault(id_, []).append(revision)

    def _wake(self, _error: Exception) -> None:
        with self._arrived:
            self._arrived.notify_all()


def is_verdict(revision: Revision | Workspace) -> bool:
    """Whether the system made it, not a person: its nonce is below any that is drawn here."""
    return revision.nonce.startswith("-")


def highest(logged: Iterable[R]) -> R:
    """The one that counts of some records of one key."""
    return max(logged, key=lambda revision: revision.order)


def nearest(given: str, known: Iterable[str], command: str) -> str:
    """What to do about an id that is not `known`, for the end of a sentence."""
    near = difflib.get_close_matches(given, list(known), n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"see '{command}'"
