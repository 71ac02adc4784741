"""Records that expire before anybody read them: a loss, which must be told, and be exactly that large."""

import asyncio
from collections.abc import Awaitable, Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from auditcast.console.demo.stage import Stage
from auditcast.kafka.views import read_compacted
from auditcast.schemas.records import Link
from auditcast.schemas.wire import decode
from tests.chaos.emitters import Strangers
from tests.chaos.plan import PROCESSOR

SETTLE_S = 8.0
"""Longer than any window plus a commit: so that no move and no revision is still on its way."""

BACKLOG_S = 1.5
"""For how long events pile up unread."""

AMONG_BUSIEST = 2
"""How many partitions may be hit: where nobody listens, nothing can be lost."""


class Expiry:
    """Done while no processor runs; `struck` counts the events lost, once for each destination."""

    def __init__(self, stage: Stage, strangers: Strangers) -> None:
        self.struck = 0
        self.records = 0
        self._stage = stage
        self._strangers = strangers
        self._over = asyncio.Event()
        self._over.set()

    async def over(self, kind: str) -> None:
        """Return once workers of this kind may run again."""
        if kind == PROCESSOR:
            await self._over.wait()

    async def expire(self, pick: float, end_processors: Callable[[], Awaitable[None]]) -> str:
        """End the processors, let records pile up, drop some of those that nobody has read; says what was done."""
        self._strangers.moving = False
        await asyncio.sleep(SETTLE_S)
        self._over.clear()
        try:
            await end_processors()
            await asyncio.sleep(BACKLOG_S)
            return await self._expire(pick)
        except KafkaException as failed:
            return f"no expiry: {failed}"
        finally:
            self._strangers.moving = True
            self._over.set()

    async def _expire(self, pick: float) -> str:
        stage, events, batches = self._stage, self._stage.topics.events, self._stage.topics.batches
        if not all([await stage.follower.caught_up(topic, 30) for topic in (events, batches)]):
            return "no expiry: the reading of the topics lags behind"
        busiest = sorted(range(stage.partitions), key=stage.account.expectation.expected_in, reverse=True)
        partition = busiest[int(pick * AMONG_BUSIEST)]
        committed, end = await asyncio.to_thread(self._span, partition)
        special = stage.account.expectation.first_special(partition, committed)
        unread = max(committed, stage.account.batches.newest(partition))
        before = min((unread + end) // 2, end if special is None else special)
        if before <= committed:
            return f"no expiry: nothing of partition {partition} may be dropped, it has {committed} to {end}"
        if await asyncio.to_thread(self._unlinked, partition):
            # A batch whose link was not written is made again from its events, which must be there for that.
            return f"no expiry: not every batch of partition {partition} has its link yet"
        await asyncio.to_thread(self._drop, partition, before)
        struck = stage.account.expectation.expire(partition, before, stage.account.batches.covered)
        self.struck += struck
        self.records += before - committed
        return (
            f"expire {before - committed} unread records of partition {partition}, which has {committed} to {end}:"
            f" {struck} deliveries less"
        )

    def told(self) -> bool:
        """Whether a processor has said in its log that these records, no more and no fewer, were lost."""
        logs = [one.log.read_text(errors="replace") for one in self._stage.workers.all if one.kind == PROCESSOR]
        lines = [line for log in logs for line in log.splitlines() if "events.expired" in line]
        return not self.records or any(f"count={self.records}" in line.split() for line in lines)

    def _span(self, partition: int) -> tuple[int, int]:
        """From the processors' committed offset to the end."""
        place = TopicPartition(self._stage.topics.events, partition)
        consumer = Consumer(self._stage.connection.confluent(group_id=self._stage.topics.processor_group))
        try:
            [committed] = consumer.committed([place], timeout=10)
            low, high = consumer.get_watermark_offsets(place, timeout=10)
            return max(committed.offset, low), high
        finally:
            consumer.close()

    def _unlinked(self, partition: int) -> bool:
        """Whether a worker ended between a batch and its link."""
        linked: dict[str, int] = {}
        for value in read_compacted(self._stage.connection, self._stage.topics.links, partition, 30).values():
            record = decode(value)
            if isinstance(record, Link):
                linked[record.stream] = max(linked.get(record.stream, -1), record.last_offset)
        covered = self._stage.account.batches.covered
        return any(covered.get(stream, -1) > last for stream, last in linked.items())

    def _drop(self, partition: int, before: int) -> None:
        admin = AdminClient(self._stage.connection.confluent())
        place = TopicPartition(self._stage.topics.events, partition, before)
        for future in admin.delete_records([place]).values():
            future.result(30)
