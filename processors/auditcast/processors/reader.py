"""Asks the log itself: what was committed, where it begins, and what comes next."""

import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition
from msgspec import Struct

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection

TIMEOUT = 20.0
"""Seconds after which the broker counts as gone."""


class Next(Struct, frozen=True):
    """What lies at or after an offset: the first readable record (None: none yet), and the log's first offset."""

    offset: int | None
    log_start: int


class LogReader:
    """Blocking, for any thread: a plain `read_committed` consumer that joins no group."""

    def __init__(self, connection: Connection) -> None:
        topics = Topics(connection.topic_prefix)
        self._topic = topics.events
        self._connection = connection
        self._assigning = threading.Lock()
        self._consumer = clients.reader(
            connection, group_id=topics.processor_group, auto_offset_reset="earliest", fetch_wait_max_ms=20
        )

    def close(self) -> None:
        """Let go of the broker."""
        self._consumer.close()

    def committed(self, partition: int) -> int | None:
        """The group's committed offset; None if there is none."""

        def ask(timeout: float) -> TopicPartition:
            [found] = self._consumer.committed([TopicPartition(self._topic, partition)], timeout=timeout)
            if found.error is not None:
                raise KafkaException(found.error)
            return found

        found = self._asked(ask)
        return None if found.offset == OFFSET_INVALID else int(found.offset)

    def log_start(self, partition: int) -> int:
        """The first offset that the log still has. Where it ends, only reading tells: not all brokers say it right."""
        place = TopicPartition(self._topic, partition)
        low, _ = self._asked(lambda timeout: self._consumer.get_watermark_offsets(place, timeout=timeout))
        return int(low)

    def next(self, partition: int, offset: int) -> Next:
        """What comes at or after `offset`."""
        log_start = self.log_start(partition)
        with self._assigning:
            self._consumer.assign([TopicPartition(self._topic, partition, max(offset, log_start))])
            try:
                return Next(self._first(), log_start)
            finally:
                self._consumer.unassign()

    def _asked(self, ask: Callable[[float], Any]) -> Any:
        """The answer, waited for within `TIMEOUT`: a broker that goes down meanwhile is not the only one."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return ask(max(deadline - time.monotonic(), clients.RETRY_S))
            except KafkaException as error:
                failed = clients.translated(error.args[0], self._connection)
                if not isinstance(failed, BrokerUnavailable) or time.monotonic() > deadline:
                    raise failed from None
            time.sleep(clients.RETRY_S)

    def _first(self) -> int | None:
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            try:
                message = self._consumer.poll(0.5)
            except (UnicodeDecodeError, SystemError):
                # A header's name that is no UTF-8: there is a record, and the position is behind it.
                return int(self._consumer.position(self._consumer.assignment())[0].offset) - 1
            if message is None:
                continue
            error = message.error()
            if error is None:
                return message.offset()
            if error.code() == KafkaError._PARTITION_EOF:
                return None
            if not error.retriable():
                raise clients.translated(error, self._connection)
        raise BrokerUnavailable("the events topic cannot be read: no answer")
