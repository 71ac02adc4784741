"""Reads what is parked, from any offsets that it is told."""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
from msgspec import Struct

from auditcast.deliverers.metrics import Metrics
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection

AT_ONCE = 32
"""Records taken by one read."""

log = logging.getLogger(__name__)


class Found(Struct, frozen=True):
    """What one read gave: records, in the order of each partition, and the ends that it came to, by partition."""

    messages: list[Message]
    ends: dict[int, int]


class ParkedReader:
    """A plain consumer: no group, no commits. Made when first needed; it lives in a thread of its own."""

    def __init__(self, connection: Connection, topic: str, metrics: Metrics) -> None:
        self._connection = connection
        self._topic = topic
        self._metrics = metrics
        self._consumer: Consumer | None = None
        self._at: dict[int, int] = {}
        self._thread = ThreadPoolExecutor(1, "parked")

    async def read(self, wanted: Mapping[int, int], wait_s: float) -> Found:
        """What came within `wait_s` of the partitions in `wanted`, each from its offset there on.

        Raises `AuditcastError` if it cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, wanted, wait_s)

    async def close(self) -> None:
        """Let go of the broker."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _read(self, wanted: Mapping[int, int], wait_s: float) -> Found:
        if self._consumer is None:
            self._consumer = clients.reader(
                self._connection,
                # What expired before it was released is skipped, and said.
                auto_offset_reset="earliest",
                # A pass that ends throws away what was fetched ahead.
                queued_max_messages_kbytes=2 * 1024,
                fetch_max_bytes=4_000_000,
                # So that an answer has room for all partitions, not for the first two.
                fetch_message_max_bytes=128 * 1024,
                fetch_wait_max_ms=50,
            )
        if self._at != wanted:
            self._at = dict(wanted)
            self._consumer.assign([TopicPartition(self._topic, *place) for place in wanted.items()])
        found = Found([], {})
        first = self._consumer.poll(wait_s)
        if first is not None:
            for message in (first, *self._consumer.consume(AT_ONCE - 1, 0)):
                self._take(message, found)
        return found

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _take(self, message: Message, found: Found) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if partition not in self._at or offset is None:
            pass
        elif error is None:
            self._expect(partition, offset)
            self._at[partition] = offset + 1
            found.messages.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            self._expect(partition, offset)
            self._at[partition] = max(offset, self._at[partition])
            found.ends[partition] = self._at[partition]
        if error is not None and (error.fatal() or error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED):
            raise clients.translated(error, self._connection)

    def _expect(self, partition: int, offset: int) -> None:
        """Say so if records expired before they were released: a loss, and never a silent one."""
        if offset > self._at[partition]:
            self._metrics.lost("parked", offset - self._at[partition])
            log.error("parked.expired", extra={"partition": partition, "from": self._at[partition], "to": offset})
