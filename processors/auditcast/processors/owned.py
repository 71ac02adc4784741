"""A partition that this worker owns: its core, what is not durable yet, and how far the commit may go."""

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence

from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import read_compacted
from auditcast.processors import state
from auditcast.processors.effects import Effect, PutState
from auditcast.processors.errors import AlienState, MissingState
from auditcast.processors.holds import Holds
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.partition import Partition, Place
from auditcast.processors.reader import LogReader
from auditcast.processors.writer import Writer
from auditcast.schemas.records import Revision

log = logging.getLogger(__name__)

LOAD_SECONDS = 60.0
"""How long reading a partition's state may take."""

ELECTION_SECONDS = 10.0
"""How long a log may look shorter than it is."""


class Owned:
    """One assignment of a partition; when it is revoked the object is dropped, whatever is still under way."""

    def __init__(
        self, core: Partition, next_offset: int, garbage: Sequence[str] = (), founding: Sequence[PutState] = ()
    ) -> None:
        self.core = core
        self.holds = Holds()
        self.next = next_offset
        self._garbage = garbage
        self._founding = founding
        self.revoked = False
        self.ticked_at = float("-inf")
        self._offered: dict[str, tuple[int, str]] = {}
        self._checkpoints: deque[int] = deque()
        self._committable = next_offset

    def owes(self, revision: Revision) -> bool:
        """Whether `revision` must be appended to the partition, and has not been by this worker."""
        if not self.core.lacks(revision) or self._offered.get(revision.destination, (0, "")) >= revision.order:
            return False
        self._offered[revision.destination] = revision.order
        return True

    def begin(self, writer: Writer) -> None:
        """Put the state in order before the first record."""
        self.apply(self._founding, writer)
        for key in self._garbage:
            writer.drop(key, self.core.place.partition)

    def apply(self, effects: Iterable[Effect], writer: Writer) -> None:
        """Begin to make durable what a step asks for."""
        for effect in effects:
            writer.apply(effect, self.core.place.partition, self.holds)

    def checkpoint(self, next_offset: int, writer: Writer) -> None:
        """Everything before `next_offset` was stepped through; only such places are committed."""
        self.apply(self.core.checkpoint(), writer)
        self.next = next_offset
        self._checkpoints.append(next_offset)

    def save(self, writer: Writer) -> None:
        """Begin to make durable what was counted; less often than records come, for counts grow with each of them."""
        self.apply(self.core.skips.save(), writer)

    def committable(self, writer: Writer) -> int:
        """How far the commit may go: past no event of an open window and no record with an effect not yet durable."""
        self.save(writer)
        safe = min(self.core.windows.oldest(), self.holds.lowest())
        while self._checkpoints and self._checkpoints[0] <= safe:
            self._committable = self._checkpoints.popleft()
        return self._committable


def load(connection: Connection, reader: LogReader, place: Place, keys: Keys, metrics: Metrics) -> Owned:
    """Take over a partition: the commit is read first, then the links to their end. Blocking.

    Raises `PartialRead`, `BrokerUnavailable`, or a `Crash`: it is all of the state, or nothing.
    """
    committed = reader.committed(place.partition)
    links = read_compacted(connection, Topics(connection.topic_prefix).links, place.partition, LOAD_SECONDS)
    durable = state.load(links)
    log_start = reader.log_start(place.partition)
    if committed is not None and committed < log_start:
        lost(place, committed, log_start, metrics)
    _reaches(reader, place, log_start, state.reach(durable))
    owned = take_over(place, committed, log_start, durable, keys)
    log.info("partition.loaded", extra={"partition": place.partition, "offset": owned.next, "keys": len(links)})
    return owned


def _reaches(reader: LogReader, place: Place, log_start: int, offset: int) -> None:
    """Return if the log has, or had, a record at `offset`; a leader just elected may not know all of it at once."""
    deadline = time.monotonic() + ELECTION_SECONDS
    while log_start <= offset and reader.next(place.partition, offset).offset is None:
        if time.monotonic() > deadline:
            raise AlienState(place.topic, place.partition, f"ends before offset {offset}, which was batched")
        time.sleep(0.5)


def take_over(place: Place, committed: int | None, log_start: int, durable: state.State, keys: Keys) -> Owned:
    """A partition as the commit and `durable` have it.

    A partition that was never committed is founded: from then on, state that is gone is noticed.
    """
    root = state.root(place.topic, place.partition)
    start = log_start if committed is None else max(committed, log_start)
    founding: list[PutState] = []
    if root.stream not in durable.links:
        if committed is not None:
            raise MissingState(place.topic, place.partition)
        founding.append(PutState(state.link_key(root.stream, root.sequence), root, start))
    core = Partition(place, start, durable, keys)
    return Owned(core, start, durable.garbage, [*founding, *core.founding()])


def lost(place: Place, expected: int, log_start: int, metrics: Metrics) -> None:
    """Say that records expired before anybody read them."""
    metrics.lost(log_start - expected)
    log.error(
        "events.expired",
        extra={"partition": place.partition, "from": expected, "to": log_start - 1, "count": log_start - expected},
    )
