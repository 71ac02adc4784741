"""Records that deliverers append."""

import asyncio
import logging
import threading
from collections.abc import Callable

from confluent_kafka import KafkaError, Message

from auditcast.deliverers.fate import Append
from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection

WAKE_S = 0.5
"""How often the thread looks whether it is to end."""


LINGER_MS = 2
"""Parking writes many records at once, which then travel together."""

REPORT_LINGER_MS = 200
"""One report follows each attempt, and nobody waits for it. Sent at once, it would cost more than it took to make."""

REPORTS_KB = 16 * 1024
"""Memory for reports that wait for the broker."""

FLUSH_S = 1.0
"""How long the end waits for the last reports."""

log = logging.getLogger(__name__)


class Outbox:
    """A producer whose callbacks run in a thread of its own; made and used by one event loop."""

    def __init__(self, connection: Connection, buffer_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        # What waits here is in memory anyway, under the lanes' budget: the queue must take all of that.
        self._producer = clients.producer(
            connection,
            queue_buffering_max_kbytes=2 * buffer_bytes // 1024,
            queue_buffering_max_messages=0,
            linger_ms=LINGER_MS,
        )
        self._reports = clients.producer(
            connection,
            queue_buffering_max_kbytes=REPORTS_KB,
            linger_ms=REPORT_LINGER_MS,
            delivery_report_only_error=True,
        )
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="outbox", daemon=True)
        self._thread.start()

    async def append(self, record: Append) -> int:
        """Return the offset of `record` once all in-sync replicas have it; raises `BrokerUnavailable` otherwise.

        Records for one partition get there in the order of the calls.
        """
        acknowledged: asyncio.Future[int] = self._loop.create_future()

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._loop.call_soon_threadsafe(_settle, acknowledged, error, message.offset())

        self._produce(record, delivered)
        return await acknowledged

    def post(self, record: Append) -> None:
        """Append `record` some time soon; it is lost if the broker cannot take it."""
        try:
            self._produce(record, _posted)
        except BufferError:
            log.warning("record.dropped", extra={"topic": record.topic, "detail": "the queue is full"})

    def _produce(self, record: Append, delivered: Callable[[KafkaError | None, Message], None]) -> None:
        headers: list[tuple[str, str | bytes | None]] = [*record.headers]
        if record.partition is None:
            self._producer.produce(record.topic, record.value, record.key, headers=headers, on_delivery=delivered)
        else:
            self._producer.produce(
                record.topic, record.value, record.key, record.partition, headers=headers, on_delivery=delivered
            )

    def report(self, record: Append) -> None:
        """As `post`, for what may come later than everything else."""
        try:
            self._reports.produce(record.topic, record.value, record.key, on_delivery=_posted)
        except BufferError:
            log.warning("record.dropped", extra={"topic": record.topic, "detail": "the queue is full"})

    def close(self) -> None:
        """End the thread. What was not acknowledged yet may or may not have been appended."""
        self._reports.flush(FLUSH_S)
        self._closing = True
        self._thread.join()

    def _serve(self) -> None:
        while not self._closing:
            self._producer.poll(WAKE_S)
            self._reports.poll(0)


def _posted(error: KafkaError | None, message: Message) -> None:
    if error is not None:
        log.warning("record.dropped", extra={"topic": message.topic(), "detail": error.str()})


def _settle(acknowledged: asyncio.Future[int], error: KafkaError | None, offset: int | None) -> None:
    if acknowledged.done():
        return
    if error is not None:
        acknowledged.set_exception(
            BrokerUnavailable(f"a record could not be written ({error.str()}): see whether the brokers are well")
        )
    elif offset is None:
        # A broker may know of a record that was sent again only that it has it. What is parked is found by its offset.
        acknowledged.set_exception(
            BrokerUnavailable("a record was written, but the broker does not say where: start the deliverer again")
        )
    else:
        acknowledged.set_result(offset)
