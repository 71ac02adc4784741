"""Compacted topics as what they mean: the newest value of each key, read once or followed."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from auditcast.kafka import clients
from auditcast.kafka.errors import PartialRead
from auditcast.kafka.settings import Connection

WAKE_S = 0.25
"""How often the following thread looks whether it is to end."""

Changed = Callable[[bytes, bytes | None], None]
"""Called with a key and its new value, None once it is removed; see `View`."""

_log = logging.getLogger(__name__)


def read_compacted(connection: Connection, topic: str, partition: int, timeout: float) -> dict[bytes, bytes]:
    """The newest value of each key in one partition, complete as of the call, removed keys left out.

    Committed records only. Raises `PartialRead` if the end is not reached within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    bounds = clients.Admin(connection).bounds(topic, timeout)
    if partition not in bounds:
        raise PartialRead(f"{topic} has no partition {partition}: see 'auditcast topics check'")
    bounds = {partition: bounds[partition]}
    unread = Unread(topic, bounds)
    values: dict[bytes, bytes] = {}
    with _reading(connection, topic, bounds, fetch_wait_max_ms=10) as consumer:
        while unread:
            message = consumer.poll(max(0.0, deadline - time.monotonic()))
            # A record without a value is falsy, so nothing but `is None` tells that there was none.
            if message is None:
                raise PartialRead(
                    f"{topic}/{partition} could not be read to its end within {timeout:g} s, {len(values)} keys came:"
                    " see whether all its brokers answer"
                )
            change = _change(message)
            if change:
                _apply(values, *change)
            unread.note(message, consumer)
    return values


class View:
    """A compacted topic, all partitions, followed in a thread of its own without any consumer group.

    `on_change` is called in that thread, in the order of each partition, from the topic's beginning on; it must not
    block. An error ends the following: `error` is set, then `on_error` is called with it, in that thread too.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        on_change: Changed | None = None,
        on_error: Callable[[Exception], None] | None = None,
    ) -> None:
        self.error: Exception | None = None
        self._connection = connection
        self._topic = topic
        self._on_change = on_change
        self._on_error = on_error
        self._values: dict[bytes, bytes] = {}
        self._closing = False
        self._settled = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"view of {topic}", daemon=True)

    def start(self) -> Self:
        """Begin to follow; returns at once."""
        self._thread.start()
        return self

    def wait_caught_up(self, timeout: float) -> None:
        """Return once everything that was in the topic at the start is here.

        Raises `PartialRead` if that takes more than `timeout` seconds, and the error that ended the following.
        """
        self._settled.wait(timeout)
        self.check()
        if not self._settled.is_set():
            raise PartialRead(f"{self._topic} could not be read to its end within {timeout:g} s")

    def check(self) -> None:
        """Raise the error that ended the following, if any."""
        if self.error is not None:
            raise self.error

    def get(self, key: bytes) -> bytes | None:
        """The newest value of a key."""
        return self._values.get(key)

    def items(self) -> list[tuple[bytes, bytes]]:
        """All keys and their newest values, as of now."""
        return list(self._values.copy().items())

    def close(self) -> None:
        """End the following; returns once the thread has ended. May be called more than once, and before `start`."""
        self._closing = True
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001  (whatever it is, the owner must hear of it)
            self.error = error
            _log.error("the view of %s has ended: %s", self._topic, error)
            if self._on_error:
                self._on_error(error)
        finally:
            self._settled.set()

    def _follow(self) -> None:
        bounds = clients.Admin(self._connection).bounds(self._topic)
        unread = Unread(self._topic, bounds)
        with _reading(self._connection, self._topic, bounds) as consumer:
            while not self._closing:
                if not unread:
                    self._settled.set()
                message = consumer.poll(WAKE_S)
                if message is None:
                    continue
                change = _change(message)
                if change:
                    _apply(self._values, *change)
                    if self._on_change:
                        self._on_change(*change)
                unread.note(message, consumer)


class Unread:
    """The partitions whose end, as it was at the start, is not reached yet; false once there is none."""

    def __init__(self, topic: str, bounds: dict[int, tuple[int, int]]) -> None:
        self._topic = topic
        self._ends = {partition: end for partition, (first, end) in bounds.items() if end > first}
        self._unfetched = set(self._ends)

    def note(self, message: Message, consumer: Consumer) -> None:
        """Take in a record, or the end of a partition as of a fetch (all there is where a transaction comes last)."""
        partition, offset = message.partition(), message.offset() or 0
        if partition not in self._ends:
            return
        if partition in self._unfetched:
            # The first fetch tells the end once more: the embedded broker names the last batch's first record when
            # asked. Not the later ones: a partition that is written to all the time would have no end.
            self._unfetched.remove(partition)
            _, end = consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            self._ends[partition] = max(end, self._ends[partition])
        if message.error() or offset + 1 >= self._ends[partition]:
            del self._ends[partition]

    def __contains__(self, partition: int) -> bool:
        return partition in self._ends

    def __bool__(self) -> bool:
        return bool(self._ends)


@contextmanager
def _reading(connection: Connection, topic: str, bounds: dict[int, tuple[int, int]], **more: Any) -> Iterator[Consumer]:
    consumer = clients.reader(connection, **more)
    try:
        # A number rather than "the beginning", which takes librdkafka half a second to find.
        consumer.assign([TopicPartition(topic, partition, first) for partition, (first, _) in bounds.items()])
        yield consumer
    finally:
        consumer.close()


def _change(message: Message) -> tuple[bytes, bytes | None] | None:
    """The key and value of a record; None for the end of a partition. Any other error is fatal here."""
    error = message.error()
    if error is None:
        return message.key() or b"", message.value()
    if error.code() == KafkaError._PARTITION_EOF:
        return None
    raise PartialRead(f"{message.topic()}/{message.partition()} cannot be read on: {error.str()}")


def _apply(values: dict[bytes, bytes], key: bytes, value: bytes | None) -> None:
    if value is None:
        values.pop(key, None)
    else:
        values[key] = value
