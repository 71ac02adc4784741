"""Records that deliverers append, each awaited until the broker has it."""

import asyncio
import threading

from confluent_kafka import KafkaError, Message

from auditcast.deliverers.fate import Append
from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection

WAKE_S = 0.5
"""How often the thread looks whether it is to end."""


class Outbox:
    """A producer whose callbacks run in a thread of its own; made and used by one event loop."""

    def __init__(self, connection: Connection) -> None:
        self._loop = asyncio.get_running_loop()
        self._producer = clients.producer(connection)
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="outbox", daemon=True)
        self._thread.start()

    async def append(self, record: Append) -> None:
        """Return once every in-sync replica has `record`; raises `BrokerUnavailable` if that cannot be had."""
        acknowledged: asyncio.Future[None] = self._loop.create_future()

        def delivered(error: KafkaError | None, _: Message) -> None:
            self._loop.call_soon_threadsafe(_settle, acknowledged, error)

        # One record a lane at most waits here, so the producer's own queue is never full.
        self._producer.produce(record.topic, record.value, record.key, on_delivery=delivered)
        await acknowledged

    def close(self) -> None:
        """End the thread. What was not acknowledged yet may or may not have been appended."""
        self._closing = True
        self._thread.join()

    def _serve(self) -> None:
        while not self._closing:
            self._producer.poll(WAKE_S)


def _settle(acknowledged: asyncio.Future[None], error: KafkaError | None) -> None:
    if acknowledged.done():
        return
    if error is None:
        acknowledged.set_result(None)
    else:
        acknowledged.set_exception(
            BrokerUnavailable(f"a record could not be written ({error.str()}): see whether the brokers are well")
        )
