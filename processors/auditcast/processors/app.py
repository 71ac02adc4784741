"""Wires the processor: Faust consumes and shares out partitions, the worker does the rest."""

import asyncio
import gc
import logging
import os
import shutil
import signal
import ssl
import tempfile
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import faust
from aiokafka.errors import IllegalStateError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP
from yarl import URL

from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions as count_partitions
from auditcast.kafka.views import View
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.scheduler import ChunkScheduler
from auditcast.processors.transport import SCHEME
from auditcast.processors.worker import Worker
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Revision
from auditcast.schemas.wire import decode_as

log = logging.getLogger(__name__)

FINISH_SECONDS = 4.0
"""How long a stopping processor waits for what it has begun."""

LEAVE_SECONDS = 7.5
"""How long stopping may take in all."""

VIEW_SECONDS = 60.0
"""How long reading the destinations may take."""

GARBAGE_OBJECTS = 20_000
"""New objects after which Python looks for cycles among them; its own 700 are less than half a chunk."""

End = Callable[[BaseException | None], None]
"""Ends the process: in good order, or with an error."""


async def run(connection: Connection, keys: Keys, metrics: Metrics) -> None:
    """Run one processor until SIGTERM or SIGINT; raises what it cannot go on with."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException | None = None) -> None:
        if not ended.done():
            ended.set_result(None) if error is None else ended.set_exception(error)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    with tempfile.TemporaryDirectory(prefix="auditcast-", ignore_cleanup_errors=True) as folder:
        await _Processor(connection, keys, metrics, folder, end).run(ended)
    log.info("processor.stopped")


class _Processor:
    """The parts, and their order of beginning and ending. `end` may be called with what ends the process."""

    def __init__(self, connection: Connection, keys: Keys, metrics: Metrics, folder: str, end: End) -> None:
        topics = Topics(connection.topic_prefix)
        self._end = end
        self._folder = folder
        self._loop = asyncio.get_running_loop()
        self._app = faust_app(connection, topics, folder)
        group = _FaustGroup(self._app, topics.events)
        self._worker = Worker(
            connection,
            keys,
            count_partitions(connection),
            group,
            metrics=metrics,
            caught_up=lambda: self._view.wait_caught_up(VIEW_SECONDS),
            failed=end,
        )
        self._view = View(connection, topics.destinations, self._changed, self._lost_sight)
        _connect(self._app, topics, self._worker, end)

    async def run(self, ended: asyncio.Future[None]) -> None:
        """Work until `ended`."""
        worker = self._worker
        jobs = [worker.writer.collect(), worker.look(), worker.keep_committing(), worker.tidy(), _crash_of(self._app)]
        tasks = [_guarded(job, self._end) for job in jobs]
        try:
            self._view.start()
            tasks.append(_guarded(self._start(), self._end))
            await ended
            _leave_within(LEAVE_SECONDS, 0)
        except Exception as error:
            log.error("processor.failed", extra={"detail": str(error)})  # noqa: TRY400  (it is raised, below)
            _leave_within(LEAVE_SECONDS, 1)
            raise
        finally:
            await _stop(self._app, worker)
            for task in tasks:
                task.cancel()
            self._view.close()
            worker.close()

    async def _start(self) -> None:
        await self._app.start()
        # What is there now stays; what comes is mostly records, which die by themselves.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE_OBJECTS)
        # Faust insists on a folder, and with its state in memory puts nothing into it.
        shutil.rmtree(self._folder, ignore_errors=True)
        log.info("processor.started", extra={"partitions": self._worker.partitions})

    def _changed(self, _: bytes, value: bytes | None) -> None:
        self._loop.call_soon_threadsafe(self._revised, value)

    def _revised(self, value: bytes | None) -> None:
        try:
            if value is not None:
                self._worker.revised(decode_as(Revision, value))
        except Undecodable as error:
            log.error("revision.unreadable", extra={"detail": str(error)})  # noqa: TRY400  (the sentence says it all)
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the process)
            self._end(error)

    def _lost_sight(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._end, error)


class _FaustGroup:
    """The group that Faust's consumer is a member of; its commits are fenced by the group's generation."""

    def __init__(self, app: faust.App, topic: str) -> None:
        self._app = app
        self._topic = topic

    async def seek(self, partition: int, offset: int) -> None:
        try:
            await self._app.consumer.seek(TP(self._topic, partition), offset)
        except IllegalStateError:
            log.info("seek.refused", extra={"partition": partition})  # not ours any more

    async def commit(self, offsets: dict[int, int]) -> bool:
        by_tp = {TP(self._topic, partition): offset for partition, offset in offsets.items()}
        consumer: Any = self._app.consumer
        committed: bool = await consumer._commit(by_tp)
        return committed

    def log_end(self, partition: int) -> int | None:
        consumer: Any = self._app.consumer
        try:
            end: int | None = consumer.highwater(TP(self._topic, partition))
        except (AssertionError, AttributeError, ConsumerNotStarted):
            return None  # the consumer's own thread has just given it up, or does not have it yet
        return end


def faust_app(connection: Connection, topics: Topics, folder: str) -> faust.App:
    """Faust as the processor needs it; `folder` is where it may keep files, of which it makes none."""
    session = connection.session_timeout_ms / 1000
    return faust.App(
        topics.processor_group,
        broker=[URL(f"{SCHEME}://{address.strip()}") for address in connection.bootstrap_servers.split(",")],
        broker_credentials=_credentials(connection),
        broker_session_timeout=session,
        broker_heartbeat_interval=session / 4,
        consumer_auto_offset_reset="earliest",
        ConsumerScheduler=ChunkScheduler,
        key_serializer="raw",
        value_serializer="raw",
        # Chunks, of up to a megabyte each.
        stream_buffer_maxsize=4,
        # The commit is held back by open windows: waiting for them would take their 30 seconds.
        stream_wait_empty=False,
        # It has a server for every interface, and topics of its own making.
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        datadir=folder,
    )


def _credentials(connection: Connection) -> Any:
    """The same way to the brokers as confluent-kafka's. Faust takes SASL without a context for SASL without TLS."""
    context = None
    if connection.security_protocol in {"SSL", "SASL_SSL"}:
        # Not `create_default_context`, which obeys SSLKEYLOGFILE: whoever has that file can read the log.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if connection.ssl_ca_file:
            context.load_verify_locations(connection.ssl_ca_file)
        else:
            context.load_default_certs()
        if connection.ssl_certificate_file:
            context.load_cert_chain(connection.ssl_certificate_file, connection.ssl_key_file or None)
    if connection.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=connection.sasl_username,
            password=connection.sasl_password.reveal(),
            mechanism=connection.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def _connect(app: faust.App, topics: Topics, worker: Worker, end: End) -> None:
    """Have Faust call the worker."""

    async def consume(stream: Any) -> None:
        try:
            async for event in stream.noack().events():
                await worker.chunk(event.message.partition, event.value)
        except Exception as error:
            # Faust would log it and go on behind what was not processed.
            end(error)
            raise

    # Without acknowledgements: for chunks Faust's commits lag far behind, and the worker knows what to commit.
    app.agent(app.topic(topics.events, key_serializer="raw", value_serializer="raw", acks=False))(consume)

    async def assigned(_: Any, assigned: set[TP], **__: Any) -> None:
        worker.assigned(sorted(tp.partition for tp in assigned if tp.topic == topics.events))

    async def revoked(_: Any, revoked: set[TP], **__: Any) -> None:
        worker.revoked(tp.partition for tp in revoked if tp.topic == topics.events)

    # Faust's own types have no name for a handler with the arguments that it passes.
    signals: Any = app
    signals.on_partitions_assigned.connect(assigned)
    signals.on_partitions_revoked.connect(revoked)


def _guarded(job: Coroutine[Any, Any, None], end: End) -> asyncio.Task[None]:
    """A task whose failure ends the process."""
    task = asyncio.create_task(job)

    def done(finished: asyncio.Task[None]) -> None:
        if not finished.cancelled() and finished.exception() is not None:
            end(finished.exception())

    task.add_done_callback(done)
    return task


async def _crash_of(app: faust.App) -> None:
    """Raise what crashed Faust."""
    await app._crashed.wait()
    raise app.crash_reason or RuntimeError("the stream processor crashed")


async def _stop(app: faust.App, worker: Worker) -> None:
    """Let go in order: take no more, make durable what was begun, commit it, leave the group."""
    if app.started:
        app.consumer.stop_flow()
    await worker.finish(FINISH_SECONDS)
    if app.started:
        await worker.commit()
    await app.stop()


def _leave_within(seconds: float, code: int) -> None:
    """End the process for sure: threads that wait for a broker which does not answer would hold it for minutes.

    All that matters is durable by then, or is done again by the next owner.
    """

    def leave() -> None:
        log.warning("processor.left_late", extra={"seconds": seconds})
        logging.shutdown()
        os._exit(code)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
