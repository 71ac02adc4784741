"""Makes effects durable in their order: the batch, then its link, then the older link's removal; nothing waits."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.processors import state
from auditcast.processors.effects import Bury, Effect, Move, PutBatch, PutManifest, PutState
from auditcast.processors.errors import LostWrite
from auditcast.processors.holds import Holds
from auditcast.schemas.manifests import manifest_key
from auditcast.schemas.wire import encode

log = logging.getLogger(__name__)

MOST_IN_FLIGHT = 64 * 1024 * 1024
"""Bytes handed to the producer and not acknowledged yet, beyond which no record is taken."""

RECORD_BYTES = 1_000
"""About what a batch or a manifest takes beside a batch's body."""

POLL_SECONDS = 0.01
"""How often acknowledgements are collected while any are due."""


def producer(connection: Connection, failed: Callable[[BaseException], None]) -> Producer:
    """A producer fit for `Writer`."""

    def on_error(error: KafkaError) -> None:
        if error.fatal():
            failed(LostWrite(f"the producer cannot go on: {error.str()}"))
        else:
            log.warning("kafka.error", extra={"detail": error.str()})

    return clients.producer(
        connection,
        linger_ms=5,
        # `Writer.room` is what bounds the memory; one record with many destinations may go beyond it.
        queue_buffering_max_messages=1_000_000,
        queue_buffering_max_kbytes=1024 * 1024,
        # A write that expired while later ones went through would be a hole; the commit waits instead.
        message_timeout_ms=0,
        error_cb=on_error,
    )


class Writer:
    """One idempotent producer; all methods and callbacks run in the event loop's thread."""

    def __init__(self, producer: Producer, topics: Topics, failed: Callable[[BaseException], None]) -> None:
        """`producer` must keep its order and give no write up (see `producer`); `failed` ends the process."""
        self._producer = producer
        self._topics = topics
        self._failed = failed
        self._in_flight = 0
        self._busy = asyncio.Event()
        self._waiting: dict[str, deque[tuple[Callable[[], None], int]]] = {}
        """What is to be written, and its size, once the manifest of a stream that is on its way is durable."""

    @property
    def in_flight(self) -> int:
        """Bytes under way, about."""
        return self._in_flight

    @property
    def is_full(self) -> bool:
        """Whether more is under way than should be."""
        return self._in_flight > MOST_IN_FLIGHT

    def apply(self, effect: Effect, partition: int, holds: Holds) -> None:
        """Begin to make `effect` durable; `holds` keeps its offset until it is."""
        holds.add(effect.hold)
        done = partial(holds.release, effect.hold)
        match effect:
            case PutBatch():
                write = partial(self._put_batch, effect, partition, done)
                self._in_turn(effect.batch.stream, write, len(effect.batch.body))
            case PutManifest():
                size = len(effect.batch.body) if effect.batch is not None else 0
                self._in_turn(effect.link.stream, partial(self._put_manifest, effect, partition, done), size)
            case PutState():
                self._put(effect.key, partition, encode(effect.record), done)
            case Move():
                headers = list(effect.headers)
                events = self._topics.events
                self._produce(events, effect.value, done, key=effect.key, partition=effect.partition, headers=headers)
            case Bury():
                letter = effect.letter
                log.error("event.buried", extra={"key": effect.key, "reason": letter.reason, "detail": letter.detail})
                self._produce(self._topics.dead_letters, encode(letter), done, key=effect.key.encode())

    def append(self, partition: int, value: bytes) -> None:
        """Append a control record, or a tick (empty), to a partition of the events topic."""
        self._produce(self._topics.events, value, _nothing, partition=partition)

    def drop(self, key: str, partition: int) -> None:
        """Remove a key from the links topic."""
        self._put(key, partition, None, _nothing)

    async def room(self) -> None:
        """Return once another record may be taken."""
        while self.is_full:
            self._producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)

    async def collect(self) -> None:
        """Collect acknowledgements for ever."""
        while True:
            await self._busy.wait()
            self._producer.poll(0)
            if self._in_flight:
                await asyncio.sleep(POLL_SECONDS)
            else:
                self._busy.clear()

    async def drain(self, seconds: float) -> int:
        """Wait until all is acknowledged, at most `seconds`; return the bytes that are not."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self._in_flight and asyncio.get_running_loop().time() < deadline:
            self._producer.poll(0)
            await asyncio.sleep(POLL_SECONDS)
        return self._in_flight

    def _in_turn(self, stream: str, write: Callable[[], None], size: int) -> None:
        """Begin `write`, of a body of `size` bytes, once the stream's manifest is durable if one is on its way.

        A link that is durable says by this that all manifests before its batch are; so one that is not yet can still
        be made as it would have been.
        """
        waiting = self._waiting.get(stream)
        if waiting is None:
            write()
        else:
            size += RECORD_BYTES
            self._in_flight += size
            waiting.append((write, size))

    def _put_batch(self, effect: PutBatch, partition: int, done: Callable[[], None]) -> None:
        key = effect.batch.destination.encode()
        next_write = partial(self._put_link, effect, partition, done)
        self._produce(self._topics.batches, encode(effect.batch), next_write, key=key)

    def _put_manifest(self, effect: PutManifest, partition: int, done: Callable[[], None]) -> None:
        manifest, batch, link = effect.manifest, effect.batch, effect.link
        self._waiting[link.stream] = deque()
        left = 1 if batch is None else 2

        def told() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._put(state.manifest_key(link.stream, link.until), partition, encode(link), replaced)

        def replaced() -> None:
            self.drop(state.manifest_key(link.stream, effect.replaces), partition)
            done()
            self._go_on(link.stream)

        key = manifest_key(link.stream, link.until).encode()
        self._produce(self._topics.manifests, encode(manifest), told, key=key, partition=partition)
        if batch is not None:
            self._produce(self._topics.batches, encode(batch), told, key=batch.destination.encode())

    def _go_on(self, stream: str) -> None:
        """Begin what has waited for a manifest, up to the next one."""
        waiting = self._waiting.pop(stream)
        while waiting:
            write, size = waiting.popleft()
            self._in_flight -= size
            write()
            if stream in self._waiting:
                self._waiting[stream].extend(waiting)
                return

    def _put_link(self, effect: PutBatch, partition: int, done: Callable[[], None]) -> None:
        link = effect.link
        older = state.link_key(link.stream, link.sequence - 1)

        def replaced() -> None:
            self.drop(older, partition)
            done()

        self._put(state.link_key(link.stream, link.sequence), partition, encode(link), replaced)

    def _put(self, key: str, partition: int, value: bytes | None, done: Callable[[], None]) -> None:
        self._produce(self._topics.links, value, done, key=key.encode(), partition=partition)

    def _produce(self, topic: str, value: bytes | None, done: Callable[[], None], **where: Any) -> None:
        size = len(value or b"") + 100
        self._in_flight += size

        def delivered(error: KafkaError | None, _: Message) -> None:
            self._in_flight -= size
            if error is None:
                done()
            else:
                self._failed(LostWrite(f"{topic} refused a write: {error.str()}"))

        self._producer.produce(topic, value, on_delivery=delivered, **where)
        self._busy.set()


def _nothing() -> None:
    """For writes that nothing waits for."""
