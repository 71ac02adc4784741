"""A Kafka producer, the thread that hands out what the broker answers, and what its answers mean."""

import ctypes
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message

from auditcast.kafka import clients
from auditcast.kafka.settings import Connection
from auditcast.producers.channel import Headers, Settle
from auditcast.producers.errors import BufferFull, Closed

MAX_BUFFERED_EVENTS = 100_000
MAX_BUFFERED_KBYTES = 64 * 1024
"""What may wait for the broker: minutes of a busy service, and no danger to its memory."""

LINGER_MS = 5
"""How long an event waits for company on its way."""

COMPRESSION = "lz4"
# CPU per event and size on the wire, made-up events of 850 bytes emitted without a pause:
#   none 5.2 µs, 1.09   lz4 4.7 µs, 0.14   snappy 5.3 µs, 0.15   zstd 5.8 µs, 0.06

_PURGE_S = 5.0
"""How long closing may take, after its timeout, to report what is given up; 100,000 events take one second."""

_POLL_S = 0.1
"""How soon the thread notices that it shall end; an answer of the broker wakes it at once."""

_ROOM_S = 0.005
"""How often who waits for room in the buffer looks again."""

_HELP_EVERY = 256
"""After how many events who emits handles the answers that have come meanwhile, which takes some 0.1 ms.

Who emits without a pause leaves the interpreter to another thread every 5 ms, and the thread that polls needs it anew
for every single answer: the buffer would fill with answers. So while many events come, that thread stays away.
"""

_BUSY_S = 0.02
"""How long it stays away at a time."""

_REPEAT_S = 60.0
"""How often trouble with the broker is logged."""

_PURGED = {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}
_NO_TOPIC = {KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION}
_log = logging.getLogger("auditcast.producers")

Failed = Callable[[str, bytes, str], None]
"""Called with the key, the value and the reason of each event that is not durable."""


class KafkaChannel:
    """One producer. A forked child cannot use it, nor can anybody after a fatal error."""

    def __init__(
        self, connection: Connection, topic: str, delivery_timeout: float, failed: Failed, **librdkafka: Any
    ) -> None:
        self.broken = False
        self.trouble: str | None = None
        self._at = connection.bootstrap_servers
        self._connection = connection
        self._topic = topic
        self._delivery_timeout = delivery_timeout
        self._failed = failed
        self._closed = False
        self._sent = 0
        self._given_up = 0
        self._counting = threading.Lock()
        self._silent_until = 0.0
        settings = {
            "linger_ms": LINGER_MS,
            "compression_type": COMPRESSION,
            "message_timeout_ms": int(delivery_timeout * 1000),
            "queue_buffering_max_messages": MAX_BUFFERED_EVENTS,
            "queue_buffering_max_kbytes": MAX_BUFFERED_KBYTES,
            "error_cb": self._complained,
        }
        self._producer = clients.producer(connection, **settings | librdkafka)
        # Looked up once: this is the path of every event.
        self._produce = self._producer.produce
        self._on_delivery = self._reported
        _channels.add(self)
        self._thread = threading.Thread(target=self._serve, name="auditcast-producer", daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._producer)

    def send(self, key: str, value: bytes, headers: Headers, max_block: float, settle: Settle | None) -> None:
        """Take one event; raises `BufferFull` after `max_block` seconds without room, and `Closed`."""
        on_delivery = self._on_delivery if settle is None else self._reported_to(settle)
        deadline = 0.0
        while True:
            if self._closed:
                raise Closed
            try:
                self._produce(self._topic, value, key, headers=headers, on_delivery=on_delivery)
            except BufferError:
                pass
            except KafkaException as refused:
                raise clients.translated(refused.args[0], self._connection) from None
            else:
                break
            now = time.monotonic()
            deadline = deadline or now + max_block
            if now >= deadline:
                reason = self.trouble or f"the broker at {self._at} is too slow"
                raise BufferFull(f"there is no room for one more event: {reason}")
            time.sleep(min(_ROOM_S, deadline - now))
        # Whoever closes sets this first and then flushes, so here it was too late for that flush, perhaps.
        if self._closed:
            raise Closed
        self._sent += 1
        if self._sent % _HELP_EVERY == 0:
            self._producer.poll(0)

    def flush(self, timeout: float) -> int:
        """Wait until all that was sent is settled, at most `timeout` seconds; how many events are not."""
        return self._producer.flush(timeout)

    def close(self, timeout: float) -> int:
        """Take nothing more, flush, and give up what is left after `timeout` seconds; how many that were."""
        self.retire()
        if self.flush(timeout):
            self._producer.purge()
            self.flush(_PURGE_S)
        return self._given_up

    def retire(self) -> None:
        """Take nothing more; what is on its way is still settled."""
        self._closed = True

    def _serve(self) -> None:
        busy = False
        while not self._closed or len(self._producer):
            sent = self._sent
            if busy:
                time.sleep(_BUSY_S)
            else:
                self._producer.poll(_POLL_S)
            busy = self._sent - sent >= _HELP_EVERY

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            if error.code() in _PURGED:
                with self._counting:  # two threads may report
                    self._given_up += 1
            self._failed((message.key() or b"").decode(), message.value() or b"", self._reason(error))

    def _reported_to(self, settle: Settle) -> Callable[[KafkaError | None, Message], None]:
        def reported(error: KafkaError | None, message: Message) -> None:
            settle(None if error is None else self._reason(error))
            self._reported(error, message)

        return reported

    def _complained(self, error: KafkaError) -> None:
        self.broken = self.broken or error.fatal()
        # "All brokers are down" comes after the reason for it, and says less.
        if self.trouble is None or error.code() != KafkaError._ALL_BROKERS_DOWN:
            self.trouble = str(clients.translated(error, self._connection))
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _REPEAT_S
            _log.warning("audit events wait: %s", self.trouble)

    def _reason(self, error: KafkaError) -> str:
        code = error.code()
        if code in _NO_TOPIC:
            return f"there is no topic {self._topic}: make it with 'auditcast topics create'"
        if code == KafkaError._MSG_TIMED_OUT:
            return self.trouble or f"the broker at {self._at} did not take it within {self._delivery_timeout:g} s"
        if code == KafkaError._PURGE_QUEUE:
            return "it was given up before it could be sent" + (f": {self.trouble}" if self.trouble else "")
        if code == KafkaError._PURGE_INFLIGHT:
            return "it was given up before the broker acknowledged it, so it may be there or not"
        return error.str()


def _after_fork() -> None:
    """In a child just forked: the producers stay the parent's."""
    for channel in list(_channels):
        # To free one would wait for threads that this process does not have, so it is never freed.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(channel._producer))


_channels: "weakref.WeakSet[KafkaChannel]" = weakref.WeakSet()
os.register_at_fork(after_in_child=_after_fork)
