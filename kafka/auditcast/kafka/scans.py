"""A topic read by the calling thread, in no consumer group and in bounded memory: record by record, or one alone."""

import time
from collections.abc import Collection, Iterator
from typing import Self, cast

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from auditcast.kafka import clients
from auditcast.kafka.errors import PartialRead
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import Unread

AT_ONCE = 100
"""Records taken by one call; they are small beside what the client has fetched already."""


class Scan:
    """Some partitions (None: all) of a topic, from their beginning on; committed records only. A context manager.

    First `to_end`, then `after` for what is appended later: nothing lies between the two.
    """

    def __init__(self, connection: Connection, topic: str, partitions: Collection[int] | None = None) -> None:
        self._connection = connection
        self._topic = topic
        self._partitions = partitions
        self._next: dict[int, int] = {}
        self._consumer: Consumer = clients.reader(connection, fetch_wait_max_ms=50)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def to_end(self, timeout: float = clients.ANSWER_S) -> Iterator[Message]:
        """Everything, in the order of each partition, that the topic holds as of the call and that was not read yet.

        Raises `PartialRead` if nothing comes within `timeout` seconds, and what `Admin.bounds` raises.
        """
        bounds = self._begin(timeout)
        unread = Unread(self._topic, bounds)
        deadline = time.monotonic() + timeout
        while unread:
            found = self._take(max(0.0, deadline - time.monotonic()))
            if not found:
                raise PartialRead(
                    f"{self._topic} could not be read to its end, nothing came for {timeout:g} s:"
                    " see whether all its brokers answer"
                )
            deadline = time.monotonic() + timeout
            for message in found:
                unread.note(message, self._consumer)
                if self._is_record(message):
                    yield message

    def skip_to_end(self, timeout: float = clients.ANSWER_S) -> None:
        """Read nothing of what the topic holds; `after` then begins at its end, or somewhat before it."""
        for partition, (_, end) in self._bounds(timeout).items():
            self._next[partition] = end
        self._begin(timeout)

    def after(self, wait_s: float) -> list[Message]:
        """What was appended since; waits at most `wait_s` seconds for it."""
        return [message for message in self._take(wait_s) if self._is_record(message)]

    def _take(self, wait_s: float) -> list[Message]:
        # `consume` alone would wait until it has as many as it was asked for.
        first = self._consumer.poll(wait_s)
        return [] if first is None else [first, *self._consumer.consume(AT_ONCE - 1, 0)]

    def _begin(self, timeout: float) -> dict[int, tuple[int, int]]:
        """Read on from where it was left; returns what is to be read until the end."""
        bounds = {
            partition: (max(first, self._next.get(partition, first)), end)
            for partition, (first, end) in self._bounds(timeout).items()
        }
        # Assigned anew each time, so that the client tells the end of each partition once more.
        self._consumer.assign([TopicPartition(self._topic, each, first) for each, (first, _) in bounds.items()])
        return bounds

    def _bounds(self, timeout: float) -> dict[int, tuple[int, int]]:
        bounds = clients.Admin(self._connection).bounds(self._topic, timeout)
        if self._partitions is None:
            return bounds
        return {partition: bounds[partition] for partition in self._partitions}

    def _is_record(self, message: Message) -> bool:
        """Note how far was read; raises `PartialRead` for an error that is not just the end of a partition."""
        error = message.error()
        if error is not None:
            _check(message, error, KafkaError._PARTITION_EOF)
            return False
        self._next[cast("int", message.partition())] = cast("int", message.offset()) + 1
        return True


class Lookup:
    """Single records of a topic, by their place. A context manager.

    Each costs a request: 3 ms on Apache Kafka, 7 ms on the embedded broker.
    """

    def __init__(self, connection: Connection, topic: str) -> None:
        self._topic = topic
        # Little is fetched beyond the one record that is wanted; the broker gives at least one whole.
        self._consumer: Consumer = clients.reader(
            connection, fetch_message_max_bytes=64 << 10, queued_max_messages_kbytes=64, fetch_wait_max_ms=10
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def get(self, partition: int, offset: int, timeout: float = clients.ANSWER_S) -> Message | None:
        """The record at a place; None if it is not there any more. Raises `PartialRead` after `timeout` seconds."""
        self._consumer.assign([TopicPartition(self._topic, partition, offset)])
        message = self._consumer.poll(timeout)
        if message is None:
            raise PartialRead(
                f"{self._topic}/{partition} gave nothing for {timeout:g} s: see whether all its brokers answer"
            )
        error = message.error()
        if error is not None:
            # Nothing follows it, or it lies before everything that is kept.
            _check(message, error, KafkaError._PARTITION_EOF, KafkaError._AUTO_OFFSET_RESET)
            return None
        return message if message.offset() == offset else None


def _check(message: Message, error: KafkaError, *harmless: int) -> None:
    """Raise `PartialRead` for an error that is none of the `harmless` codes."""
    if error.code() not in harmless:
        raise PartialRead(f"{message.topic()}/{message.partition()} cannot be read on: {error.str()}")
