"""Faust's aiokafka transport with what it has no setting for; found by the entry point `auditcast`."""

from typing import Any

from faust.transport.drivers import aiokafka as driver

from auditcast.processors import lenient

SCHEME = "auditcast"
"""Of the broker's URL, which is how Faust finds a transport."""

FETCH_MIN_BYTES = 256 * 1024
FETCH_MAX_WAIT_MS = 200
# Faust asks for single bytes: at 1,000 events/s that is hundreds of fetches a second, and a whole core. With these two
# a worker wakes up five times a second per broker, or when a quarter of a megabyte is there.


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes = FETCH_MIN_BYTES
        consumer._fetch_max_wait_ms = FETCH_MAX_WAIT_MS
        # Events of a transaction that was aborted never happened.
        consumer._isolation_level = "read_committed"
        return consumer


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _ConsumerThread:
        return _ConsumerThread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """What `auditcast://host:port` stands for."""

    Consumer = _Consumer

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        lenient.install()
