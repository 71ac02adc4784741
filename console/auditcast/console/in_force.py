"""Since when a destination is in force: what the processors have written down of it in `audit.links`."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from msgspec import Struct

from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View
from auditcast.processors import state
from auditcast.schemas import wire
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Backfill, Link, Revision, RevisionInForce

BACKFILL = "backfill/"
"""What the key of a `Backfill` in `audit.links` begins with; the stream follows."""

_MOVED = state.moved_key(0, 0).split("/")[0].encode() + b"/"


class NotInForce(AuditcastError):
    """A change of a destination has not reached all of its partitions in time."""


class Reach(Struct, frozen=True):
    """A revision is in force in `partitions` `of` those that it must reach; `since` when in the last of them, in ms."""

    partitions: int
    of: int
    since: int | None

    @property
    def everywhere(self) -> bool:
        """Whether nothing is left to wait for."""
        return self.partitions == self.of


def partitions_of(revision: Revision, partitions: int) -> list[int]:
    """The partitions of the events topic, of `partitions`, that a destination has a stream in."""
    if revision.workspace is not None:
        return [partition_of(revision.workspace, partitions)]
    return list(range(partitions))


def partition_in(stream: str) -> int:
    """The partition that a stream is of; its name tells (see chain.py)."""
    return int(stream.rsplit("-", 2)[1])


def destination_in(stream: str) -> str:
    """The destination that a stream is of."""
    return stream.rsplit("-", 2)[0]


class Standing:
    """One destination in `audit.links`, followed. A context manager; entering it reads all that is there.

    Entries that the processors have dropped since are kept: for whoever asks how it was, the more the better.
    """

    def __init__(self, connection: Connection, destination: str) -> None:
        self.links: dict[str, Link] = {}
        self.backfills: dict[str, Backfill] = {}
        self.moves = False
        """Whether any event ever lay in a wrong partition."""
        self._entries: dict[int, dict[int, RevisionInForce]] = {}
        self._revisions = f"{destination}@".encode()
        self._streams = (f"{destination}-".encode(), f"{BACKFILL}{destination}-".encode())
        self._destination = destination
        self._arrived = threading.Condition()
        self._view = View(connection, Topics(connection.topic_prefix).links, self._take, self._wake)

    def __enter__(self) -> Self:
        self._view.start()
        try:
            self._view.wait_caught_up(2 * clients.ANSWER_S)
        except BaseException:
            self._view.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._view.close()

    def entries(self, partition: int) -> list[RevisionInForce]:
        """What is known of its revisions in one partition, by offset: a list without holes, to the newest."""
        with self._arrived:
            return [entry for _, entry in sorted(self._entries.get(partition, {}).items())]

    def reach(self, revision: Revision, partitions: Sequence[int]) -> Reach:
        """How far `revision`, or a later one, has come."""
        reached = []
        for partition in partitions:
            later = [entry for entry in self.entries(partition) if entry.revision.order >= revision.order]
            if later:
                reached.append(later[0].timestamp)
        return Reach(len(reached), len(partitions), max(reached, default=None))

    def wait(self, revision: Revision, partitions: Sequence[int], timeout: float) -> Reach:
        """Return once `revision` is in force everywhere; raises `NotInForce` after `timeout` seconds."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._view.error or self.reach(revision, partitions).everywhere, timeout)
        self._view.check()
        reach = self.reach(revision, partitions)
        if not reach.everywhere:
            where = f"in {reach.of - reach.partitions} of its {reach.of} partitions" if reach.of > 1 else "yet"
            raise NotInForce(
                f"{revision.destination} is not in force {where} after {timeout:g} s:"
                " see whether 'auditcast processor' runs, and repeat the command"
            )
        return reach

    def _take(self, key: bytes, value: bytes | None) -> None:
        self.moves = self.moves or key.startswith(_MOVED)
        if value is None or not key.startswith((self._revisions, *self._streams)):
            return
        record = wire.decode(value)
        with self._arrived:
            match record:
                case RevisionInForce():
                    self._entries.setdefault(partition_in(record.stream), {})[record.offset] = record
                case Link() if self._is_newest(record):
                    self.links[record.stream] = record
                case Backfill() if destination_in(record.stream) == self._destination:
                    self.backfills[record.stream] = record
            self._arrived.notify_all()

    def _is_newest(self, link: Link) -> bool:
        if destination_in(link.stream) != self._destination:
            return False  # an id may be the beginning of another
        held = self.links.get(link.stream)
        return held is None or link.sequence > held.sequence

    def _wake(self, _error: Exception) -> None:
        with self._arrived:
            self._arrived.notify_all()
