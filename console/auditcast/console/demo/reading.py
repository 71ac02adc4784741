"""Reading topics from their beginning to follow what the pipeline does, outside any consumer group."""

import asyncio
from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from auditcast.console.demo.waiting import until
from auditcast.kafka.settings import Connection

CHUNK = 1000
"""Records taken at once, so that the event loop is never held for long."""


class Follower:
    """Hands every record of some topics, committed ones only, to `take` until cancelled."""

    def __init__(self, connection: Connection, topics: dict[str, Callable[[Any], None]], partitions: int) -> None:
        self._take = topics
        self._consumer = Consumer(
            connection.confluent(
                group_id="auditcast-demo-reader",
                enable_auto_commit=False,
                isolation_level="read_committed",
                enable_partition_eof=True,
                queued_max_messages_kbytes=16_384,
                fetch_queue_backoff_ms=5,
            )
        )
        self._places = [TopicPartition(topic, n, OFFSET_BEGINNING) for topic in topics for n in range(partitions)]
        self._next = {(place.topic, place.partition): 0 for place in self._places}
        self._consumer.assign(self._places)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            messages = await asyncio.to_thread(self._consumer.consume, CHUNK, 0.2)
            for message in messages:
                self._one(message)

    async def caught_up(self, topic: str, partition: int, within: float) -> bool:
        """Wait until everything that was in a partition at the time of the call has been taken; whether it has."""
        place = TopicPartition(topic, partition)
        _, end = await asyncio.to_thread(self._consumer.get_watermark_offsets, place, 10.0)
        return await until(lambda: self._next[topic, partition] >= end, within)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _one(self, message: Message) -> None:
        topic, partition, offset, error = message.topic(), message.partition(), message.offset(), message.error()
        if topic is None or partition is None or offset is None:
            return
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._next[topic, partition] = max(self._next[topic, partition], offset)
            return
        self._take[topic](message)
        self._next[topic, partition] = offset + 1
