"""Owns partitions: takes them over, steps their records through the core, appends ticks and revisions, lets go."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions as count_partitions
from auditcast.processors.clock import BrokerClock
from auditcast.processors.errors import PartitionsChanged
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.owned import Owned, load, lost
from auditcast.processors.partition import LogRecord, Place
from auditcast.processors.reader import LogReader
from auditcast.processors.writer import Writer, producer
from auditcast.schemas import controls
from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.records import Revision

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often due windows are looked for."""

COMMIT_SECONDS = 1.0

TICK_SECONDS = 1.0
"""At most one tick a partition in this time."""

TIDY_SECONDS = 15.0
"""How often state that no commit can need is dropped, and the number of partitions checked."""


class Group(Protocol):
    """The consumer group that shares out the partitions, as Faust manages it."""

    async def seek(self, partition: int, offset: int) -> None:
        """Have the partition handed over from `offset` on."""

    async def commit(self, offsets: dict[int, int]) -> bool:
        """Commit by partition; False if the group refused it."""

    def log_end(self, partition: int) -> int | None:
        """Where the partition ended at the newest fetch, without asking the broker; None if that is not known."""


class Worker:
    """All that one process does; everything runs in the event loop but the blocking reads."""

    def __init__(  # noqa: PLR0913  (what it is wired to)
        self,
        connection: Connection,
        keys: Keys,
        partitions: int,
        group: Group,
        *,
        metrics: Metrics,
        caught_up: Callable[[], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """`caught_up` blocks until all revisions that there are were `revised`; `failed` ends the process."""
        self._connection = connection
        self._keys = keys
        self._topic = Topics(connection.topic_prefix).events
        self.partitions = partitions
        self._group = group
        self._metrics = metrics
        self._caught_up = caught_up
        self._failed = failed
        self._reader = LogReader(connection)
        self._owned: dict[int, asyncio.Task[Owned]] = {}
        self._committed: dict[int, int] = {}
        self._missed: set[int] = set()
        self._clock = BrokerClock()
        self._revisions: dict[str, Revision] = {}
        self.writer = Writer(producer(connection, failed), Topics(connection.topic_prefix), failed)

    # Partitions come and go

    def assigned(self, partitions: Iterable[int]) -> None:
        """Begin to load what is now ours."""
        for partition in partitions:
            self.revoked([partition])
            self._owned[partition] = asyncio.create_task(self._load(partition))

    def revoked(self, partitions: Iterable[int]) -> None:
        """Drop all state of what is not ours any more; the commit is where the next owner begins."""
        for partition in partitions:
            self._committed.pop(partition, None)
            task = self._owned.pop(partition, None)
            if task is not None:
                if task.done() and not task.cancelled() and task.exception() is None:
                    task.result().revoked = True
                task.cancel()

    async def _load(self, partition: int) -> Owned:
        place = Place(self._topic, partition, self.partitions)
        try:
            owned = await self._loaded(place)
            if partition in self._missed:
                self._missed.discard(partition)
                await self._group.seek(partition, owned.next)
        except Exception as error:
            self._failed(error)
            raise
        owned.begin(self.writer)
        self._committed[partition] = owned.next
        for revision in self._revisions.values():
            self._offer(owned, revision)
        return owned

    async def _loaded(self, place: Place) -> Owned:
        ours = (self._connection, self._reader, place, self._keys, self._metrics)
        try:
            return await asyncio.to_thread(load, *ours)
        except WrongSealingKey as error:
            # Unless the destination was deleted, for its key is lost.
            log.warning("destination.sealed", extra={"partition": place.partition, "detail": str(error)})
            await asyncio.to_thread(self._caught_up)
            return await asyncio.to_thread(load, *ours)

    def _ready(self) -> list[tuple[int, Owned]]:
        return [
            (partition, task.result())
            for partition, task in self._owned.items()
            if task.done() and not task.cancelled() and task.exception() is None
        ]

    # Records

    async def chunk(self, partition: int, chunk: Sequence[LogRecord]) -> None:
        """Step through one chunk that Faust hands over."""
        task = self._owned.get(partition)
        if task is None:
            self._missed.add(partition)  # revoked in the meantime, or not assigned yet
            return
        try:
            owned = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                return  # revoked while it was loading
            raise
        records = await self._next_in_log(owned, chunk)
        if records:
            await self._step(owned, records)

    async def _step(self, owned: Owned, records: Sequence[LogRecord]) -> None:
        writer, step = self.writer, owned.core.step
        for record in records:
            effects = step(record)
            if effects:
                self._metrics.asked(effects)
                owned.apply(effects, writer)
                if writer.is_full:
                    await writer.room()
                    if owned.revoked:
                        return
        owned.checkpoint(records[-1].offset + 1, writer)
        self._metrics.stepped(len(records))
        self._clock.saw(records[-1].timestamp, time.monotonic() * 1000)
        await writer.room()

    async def _next_in_log(self, owned: Owned, records: Sequence[LogRecord]) -> Sequence[LogRecord]:
        """The part of a chunk that comes next; none of it if something else does, and then Faust is sent back."""
        expected = owned.next
        first = records[0].offset
        if first <= expected:
            return records if first == expected else [record for record in records if record.offset >= expected]
        partition = owned.core.place.partition
        found = await asyncio.to_thread(self._reader.next, partition, expected)
        if owned.revoked:
            return ()
        if found.offset == first:  # transaction markers, aborted records, or expired ones
            if found.log_start > expected:
                lost(owned.core.place, expected, found.log_start, self._metrics)
            return records
        self._metrics.stale()
        log.info("chunk.stale", extra={"partition": partition, "expected": expected, "got": first})
        await self._group.seek(partition, expected)
        return ()

    # Revisions

    def revised(self, revision: Revision) -> None:
        """A destination has a new revision: append it to each partition here that it concerns and that lacks it."""
        held = self._revisions.get(revision.destination)
        if held is not None and held.order >= revision.order:
            return
        self._revisions[revision.destination] = controls.for_log(revision)
        if revision.state == "deleted":
            self._keys.deleted.add(revision.destination)
        for _, owned in self._ready():
            self._offer(owned, self._revisions[revision.destination])

    def _offer(self, owned: Owned, revision: Revision) -> None:
        if owned.owes(revision):
            partition = owned.core.place.partition
            self.writer.append(partition, controls.control(revision, partition, self._keys.sealer))

    # Time

    async def look(self) -> None:
        """For ever: append ticks where a window or a manifest is due and nothing came to close it."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            elapsed = time.monotonic()
            now = self._clock.now(time.time() * 1000, elapsed * 1000)
            for partition, owned in self._ready():
                if owned.core.next_due() <= now and elapsed - owned.ticked_at >= TICK_SECONDS:
                    owned.ticked_at = elapsed
                    self.writer.append(partition, b"")

    async def commit(self) -> None:
        """Commit as far as may be; a partition that is not ours any more is refused by the broker."""
        offsets = {partition: owned.committable(self.writer) for partition, owned in self._ready()}
        moved = {partition: offset for partition, offset in offsets.items() if self._committed.get(partition) != offset}
        for _, owned in self._ready():
            # With the counts that are to be durable by then: so whoever goes on after us counts none of them again.
            self._metrics.skipped(owned.core.skips.new())
        if moved:
            taken = await self._group.commit(moved)
            self._metrics.committed(taken=taken)
            if taken:
                self._committed.update(moved)

    def measure(self) -> None:
        """Have the metrics show how things are."""
        windows, unread = 0, {}
        for partition, owned in self._ready():
            windows += len(owned.core.windows)
            end = self._group.log_end(partition)
            unread[partition] = None if end is None else max(end - owned.next, 0)
        self._metrics.measured(windows=windows, in_flight=self.writer.in_flight, unread=unread)

    async def keep_committing(self) -> None:
        """For ever, every second; the metrics are as old as that."""
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self.commit()
            self.measure()

    async def tidy(self) -> None:
        """For ever: drop state that is not needed any more; raise `PartitionsChanged`."""
        while True:
            await asyncio.sleep(TIDY_SECONDS)
            try:
                await self._tidy()
            except BrokerUnavailable as error:  # it can wait
                log.warning("processor.untidy", extra={"detail": str(error)})

    async def _tidy(self) -> None:
        found = await asyncio.to_thread(count_partitions, self._connection)
        if found != self.partitions:
            raise PartitionsChanged(
                f"{self._topic} now has {found} partitions, not {self.partitions}: see 'auditcast topics check'"
            )
        for partition, owned in self._ready():
            committed = await asyncio.to_thread(self._reader.committed, partition)
            if committed is not None and not owned.revoked:
                for key in owned.core.droppable(committed):
                    self.writer.drop(key, partition)

    async def finish(self, seconds: float) -> None:
        """Make durable what was begun, at most `seconds`."""
        for _, owned in self._ready():
            owned.save(self.writer)
        left = await self.writer.drain(seconds)
        if left:
            log.warning("processor.unfinished", extra={"bytes": left})

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()
