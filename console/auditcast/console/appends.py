"""Records appended by a command, none of them taken for durable before the broker says so."""

import time
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection

STALLED_S = 30.0
"""How long the broker may acknowledge nothing."""

STEP_S = 0.2

Headers = Sequence[tuple[str, bytes]]


class Appends:
    """One producer. Everything here raises `BrokerUnavailable` if an append is known, or feared, to have failed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._refused: KafkaError | None = None
        self._producer = clients.producer(connection, message_timeout_ms=int(STALLED_S * 1000))

    def append(self, topic: str, partition: int, key: str | None, value: bytes | None, headers: Headers = ()) -> None:
        """Hand a record over, for this partition; waits where too much is under way."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, headers=list(headers), on_delivery=self._delivered)
            except BufferError:
                self.flush()
            else:
                return self.check()

    def check(self) -> None:
        """Raise if the broker has refused something."""
        self._producer.poll(0)
        if self._refused is not None:
            raise clients.translated(self._refused, self._connection)

    def flush(self) -> None:
        """Return once all is acknowledged."""
        left, deadline = len(self._producer), time.monotonic() + STALLED_S
        while left and time.monotonic() < deadline:
            now_left = self._producer.flush(STEP_S)
            if now_left < left:
                deadline = time.monotonic() + STALLED_S
            left = now_left
        self.check()
        if left:
            raise BrokerUnavailable(f"the broker acknowledges nothing for {STALLED_S:g} s: see whether all of it runs")

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._refused = self._refused or error
