"""A topic read from some place on to its end as it is now; no group is joined, nothing is committed."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Self, cast

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import Unread

Count = Callable[[str], None]


class Scan:
    """A context manager for one topic; entering it raises `BrokerUnavailable` or `WrongTopics`.

    `timeout` in seconds bounds each wait for the broker. `unreadable` counts the records that were passed over because
    a header's name is no UTF-8, which the client cannot hand over. `count` is called with the topic for each record.
    """

    def __init__(
        self, connection: Connection, topic: str, count: Count | None = None, timeout: float = clients.ANSWER_S
    ) -> None:
        self.topic = topic
        self._count = count
        self.bounds: dict[int, tuple[int, int]] = {}
        self.unreadable = 0
        self._connection = connection
        self._timeout = timeout
        self._consumer = clients.reader(connection, auto_offset_reset="earliest", fetch_wait_max_ms=20)

    def __enter__(self) -> Self:
        try:
            self.bounds = clients.Admin(self._connection).bounds(self.topic, self._timeout)
        except BaseException:
            self._consumer.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._consumer.close()

    def places(self, ms: int, partitions: Iterable[int] | None = None) -> dict[int, int]:
        """Where to begin so that nothing stamped `ms` or later is missed; a partition without any is left out.

        Only a place to begin: a broker that has no index of times (the embedded one) names the log's start.
        """
        asked = [TopicPartition(self.topic, n, ms) for n in (self.bounds if partitions is None else partitions)]
        try:
            found = self._consumer.offsets_for_times(asked, timeout=self._timeout)
        except KafkaException as failed:
            raise clients.translated(failed.args[0], self._connection) from None
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def first_since(self, partition: int, ms: int) -> int | None:
        """The offset of the first record stamped `ms` or later; None if there is none."""
        for message in self.messages(self.places(ms, [partition])):
            if message.timestamp()[1] >= ms:
                return message.offset()
        return None

    def messages(self, starts: Mapping[int, int], until: int | None = None) -> Iterator[Message]:
        """The committed records from `starts` (offsets by partition) on, each partition in its order.

        A partition ends where it ended when its reading began, and before its first record stamped `until` ms or
        later. Raises `BrokerUnavailable` if no answer comes in time.
        """
        bounds = {partition: self.bounds[partition] for partition in starts}
        unread = Unread(self.topic, bounds)
        going = {partition for partition in bounds if partition in unread}
        self._consumer.assign([TopicPartition(self.topic, n, max(starts[n], bounds[n][0])) for n in going])
        while going:
            message = self._next()
            partition = message.partition()
            if partition is None or partition not in going:
                continue
            error = message.error()
            late = error is None and until is not None and message.timestamp()[1] >= until
            if error is None and not late:
                if self._count is not None:
                    self._count(self.topic)
                yield message
            elif error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise clients.translated(error, self._connection)
            unread.note(message, self._consumer)
            if late or partition not in unread:
                going.discard(partition)
                self._consumer.pause([TopicPartition(self.topic, partition)])

    def _next(self) -> Message:
        deadline = None  # no clock is asked as long as all goes well: this is done for every record
        while deadline is None or time.monotonic() < deadline:
            try:
                message = self._consumer.poll(self._timeout)
            except (UnicodeDecodeError, SystemError):
                self.unreadable += 1  # the position is behind it
                continue
            if message is None:
                break
            error = message.error()
            if error is None or not error.retriable():
                return message
            # The client tries again by itself.
            deadline = deadline or time.monotonic() + self._timeout
        raise BrokerUnavailable(f"{self.topic} cannot be read on, no answer in {self._timeout:g} s: see its brokers")


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """A record's headers, as the processors have them."""
    return cast("list[tuple[str, bytes]] | None", message.headers()) or []
