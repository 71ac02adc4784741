"""Following topics from their beginning, to see all that the pipeline does."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition
from msgspec import Struct

from auditcast.console.demo.waiting import until
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection

CHUNK = 500
"""Records taken at once, so that the event loop is never held for long."""


class Record(Struct, frozen=True):
    """A committed record of a topic; `timestamp` in ms."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Follower:
    """Hands every committed record of some topics to its taker, in order within a partition, until cancelled."""

    def __init__(self, connection: Connection, takers: Mapping[str, Callable[[Record], None]], partitions: int) -> None:
        self._takers = takers
        self._consumer = clients.reader(connection)
        places = [TopicPartition(topic, n, OFFSET_BEGINNING) for topic in takers for n in range(partitions)]
        self._next = {(place.topic, place.partition): 0 for place in places}
        self._consumer.assign(places)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            for message in await asyncio.to_thread(self._consumer.consume, CHUNK, 0.2):
                self._one(message)

    async def caught_up(self, topic: str, within: float) -> bool:
        """Wait until everything that was in a topic at the time of the call has been taken; whether it has."""
        places = [place for place in self._next if place[0] == topic]
        found = await asyncio.gather(*(asyncio.to_thread(self._end, *place, within) for place in places))
        ends = dict(zip(places, found, strict=True))
        return await until(lambda: all(self._next[place] >= end for place, end in ends.items()), within)

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def _end(self, topic: str, partition: int, within: float) -> int:
        offsets: Any = self._consumer.get_watermark_offsets(TopicPartition(topic, partition), within)
        return int(offsets[1]) if offsets else 0

    def _one(self, message: Message) -> None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if topic is None or partition is None or offset is None:
            return
        error = message.error()
        if error is None:
            headers: Any = message.headers() or []
            self._takers[topic](
                Record(partition, offset, message.timestamp()[1], message.key(), message.value(), headers)
            )
            self._next[topic, partition] = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            # Past what aborted transactions left at the end, which no record tells of.
            self._next[topic, partition] = max(self._next[topic, partition], offset)
