"""What a backfill writes: batches, as a processor would, and how far it has come."""

import time

from confluent_kafka import KafkaError, Message

from auditcast.console.in_force import BACKFILL, partition_in
from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.manifests import manifest_key
from auditcast.schemas.records import Backfill, Batch, Manifest
from auditcast.schemas.wire import encode

STALLED_S = 30.0
"""How long the broker may acknowledge nothing."""

STEP_S = 0.2
ANY = -1
"""The partition that the key leads to."""


class Outlet:
    """One producer; what was handed over is durable once `flush` has returned."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._topics = Topics(connection.topic_prefix)
        self._refused: KafkaError | None = None
        self._producer = clients.producer(connection, message_timeout_ms=int(STALLED_S * 1000))

    def batch(self, batch: Batch) -> None:
        """Append a batch where the deliverers find it."""
        self._produce(self._topics.batches, batch.destination, encode(batch))

    def manifest(self, manifest: Manifest) -> None:
        """Put a manifest where all of them are."""
        key = manifest_key(manifest.stream, manifest.until)
        self._produce(self._topics.manifests, key, encode(manifest), partition=partition_in(manifest.stream))

    def note(self, backfill: Backfill) -> None:
        """Say how far a backfill has come, in the partition that it is about."""
        key = f"{BACKFILL}{backfill.stream}"
        self._produce(self._topics.links, key, encode(backfill), partition=partition_in(backfill.stream))

    def flush(self) -> None:
        """Return once all is acknowledged; raises `BrokerUnavailable` if for long nothing is."""
        left = len(self._producer)
        deadline = time.monotonic() + STALLED_S
        while left and time.monotonic() < deadline:
            now_left = self._producer.flush(STEP_S)
            if now_left < left:
                deadline = time.monotonic() + STALLED_S
            left = now_left
        if self._refused is not None:
            raise clients.translated(self._refused, self._connection)
        if left:
            raise BrokerUnavailable(
                f"the broker acknowledges nothing for {STALLED_S:g} s: see its brokers, and repeat the command to go on"
            )

    def _produce(self, topic: str, key: str, value: bytes, partition: int = ANY) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key.encode(), partition, self._delivered)
            except BufferError:
                self.flush()  # as much is under way as may be
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._refused = self._refused or error
