"""Wires the deliverer: one thread reads, the event loop delivers."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from auditcast.deliverers import egress, host
from auditcast.deliverers.attempts import Sender
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.courier import Courier
from auditcast.deliverers.destinations import Destinations
from auditcast.deliverers.dispatcher import Dispatcher, Past
from auditcast.deliverers.fate import Append, Policy
from auditcast.deliverers.giving_up import GivingUp
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.newest import Newest
from auditcast.deliverers.outbox import Outbox
from auditcast.deliverers.parcels import Claim
from auditcast.deliverers.parked import ParkedReader
from auditcast.deliverers.reader import Reader, Settled
from auditcast.deliverers.settings import Settings
from auditcast.deliverers.transport import Limits, Transport
from auditcast.kafka.errors import BrokerUnavailable, PartialRead
from auditcast.kafka.keyrings import sealer_of, signer_of
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import variable
from auditcast.kafka.topics import require
from auditcast.kafka.views import View, read_compacted
from auditcast.schemas.networks import networks

READ_S = 0.1
"""How long a read waits for a record, and so the longest that a settled offset waits to be stored."""

HELD_READ_S = 0.01
"""The same while a partition is paused, so that it goes on soon after its lane has room again."""

VIEW_S = 60.0
"""How long reading the destinations may take at the start."""

STATUS_S = 10.0
STATUS_AGAIN_S = 1.0
"""How long reading the status of one partition may take, and after how long it is tried again."""

REBALANCE_GRACE_S = 2.0
"""How long requests in flight may hold up a rebalance, and with it the whole group: what is delivered by then is not
delivered again by the next owner."""

STOP_GRACE_S = 6.0
"""The same at the end of the process, which has 10 s in all."""

CLOSE_S = 2.5
"""What leaving the group may take beyond that."""

log = logging.getLogger(__name__)


async def run(settings: Settings, metrics: Metrics) -> None:
    """Deliver until SIGTERM or SIGINT; raises what cannot be gone on with."""
    ended, end = host.ending()
    await _Deliverer(settings, metrics, end).run(ended)


class _Deliverer:
    """The parts, and their order of beginning and ending."""

    def __init__(self, settings: Settings, metrics: Metrics, end: Callable[[BaseException | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._grace_s = REBALANCE_GRACE_S
        self._connection = settings.connection
        self._metrics = metrics
        self._timestamps = settings.timestamps
        self._topics = Topics(self._connection.topic_prefix)
        allowed = networks(settings.allowed_networks)
        host.allow_files(settings.delivery_connections)
        context = host.tls(settings.delivery_ca_file, variable("delivery_ca_file"))
        context.set_alpn_protocols(["http/1.1"])
        limits = _limits(settings)
        guard = egress.guard(settings.egress_proxy, settings.egress_proxy_login, allowed, limits.connect / 2)
        self._connections = Connections(lambda: Transport(context, guard, limits), settings.delivery_connections)
        self._view = View(self._connection, self._topics.destinations, self._changed, self._failed)
        self._newest = Newest()
        sealer = sealer_of(settings.sealing_keys)
        self._destinations = Destinations(self._newest.get, sealer, allowed)
        sender = Sender(
            self._connections,
            signer_of(settings.signing_keys, settings.sealing_keys),
            metrics,
            agent=f"auditcast/{version('auditcast')}",
            origin=settings.webhook_origin,
        )
        courier = Courier(self._destinations, sender, wait_s=settings.revision_wait_ms / 1000)
        self._outbox = Outbox(self._connection, settings.delivery_buffer_bytes)
        self._giving_up = GivingUp(self._connection, sealer, self._outbox.append, metrics)
        self._dispatcher = Dispatcher(
            Lanes(settings.delivery_buffer_bytes),
            Policy(self._topics, settings.retry_delays_ms, settings.delivery_max_age_ms),
            ParkedReader(self._connection, self._topics.parked, metrics),
            probe_s=settings.probe_ms / 1000,
            deliver=courier.deliver,
            append=self._outbox.append,
            post=self._outbox.post,
            report=self._outbox.report,
            halted=self._destinations.halted,
            past=self._past,
            note=self._giving_up.note,
            metrics=metrics,
            failed=end,
        )
        self._hourly: asyncio.Task[None] | None = None
        self._reader: Reader | None = None
        self._thread = ThreadPoolExecutor(1, "reader")

    async def run(self, ended: asyncio.Future[None]) -> None:
        """Deliver until `ended`."""
        pump = asyncio.create_task(self._pump(ended))
        try:
            await ended
            self._grace_s = STOP_GRACE_S
        finally:
            if self._reader is None:
                pump.cancel()  # it is still looking around, which may take long
            await asyncio.wait([pump])
            await self._close()
        log.info("deliverer.stopped")

    async def _pump(self, ended: asyncio.Future[None]) -> None:
        try:
            await self._loop.run_in_executor(None, self._look_around)
            host.spare_the_collector()
            log.info("deliverer.started")
            self._dispatcher.start()
            self._hourly = self._loop.create_task(self._giving_up.run(self._dispatcher))
            self._hourly.add_done_callback(self._ended)
            self._reader = reader = Reader(
                self._connection, self._metrics, assigned=self._assigned, revoking=self._revoking
            )
            for key, value in self._newest.covered():
                self._uncover(key, value)
            while not ended.done():
                held = self._dispatcher.held()
                wait_s = HELD_READ_S if held is None or held else READ_S
                parcels = await self._loop.run_in_executor(
                    self._thread, reader.read, wait_s, self._dispatcher.settled(), held
                )
                self._dispatcher.receive(parcels)
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the process)
            self._end(error)

    def _look_around(self) -> None:
        """See that the topics are right, and learn of all destinations."""
        for difference in require(self._connection, self._timestamps):
            log.warning("topics.differ", extra={"detail": str(difference)})
        self._view.start()
        self._view.wait_caught_up(VIEW_S)
        self._destinations.check_keys(value for _, value in self._view.items())

    def _assigned(self, claims: list[Claim]) -> None:
        """In the reader's thread: have the loop take the claims over."""
        self._loop.call_soon_threadsafe(self._dispatcher.assigned, claims)

    async def _past(self, partitions: list[int]) -> Past:
        """What earlier owners left in the status of `partitions`, however long the brokers take to tell."""
        while True:
            try:
                return await self._loop.run_in_executor(None, self._read_status, partitions)
            except (BrokerUnavailable, PartialRead) as error:
                log.warning("status.unread", extra={"detail": str(error)})
            await asyncio.sleep(STATUS_AGAIN_S)

    def _read_status(self, partitions: list[int]) -> Past:
        return {
            number: read_compacted(self._connection, self._topics.status, number, STATUS_S) for number in partitions
        }

    def _revoking(self, claims: list[Claim]) -> list[Settled]:
        """In the reader's thread: have the loop give the claims up."""
        release = self._dispatcher.release(claims, self._grace_s)
        return asyncio.run_coroutine_threadsafe(release, self._loop).result()

    def _changed(self, key: bytes, value: bytes | None) -> None:
        """In the view's thread: a revision has come."""
        covered = self._newest.take(key, value)
        if covered is not None and self._reader is not None:
            self._loop.call_soon_threadsafe(self._uncover, key, covered)
        destination = key.decode(errors="replace")
        self._loop.call_soon_threadsafe(self._destinations.changed, destination)
        self._loop.call_soon_threadsafe(self._dispatcher.changed, destination)

    def _uncover(self, key: bytes, value: bytes) -> None:
        """Append a revision again that a void one lies over, before compaction leaves nothing else."""
        log.warning("revision.restored", extra={"destination": key.decode(errors="replace")})
        self._outbox.post(Append(self._topics.destinations, key, value))

    def _failed(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._end, error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._end(error)

    async def _close(self) -> None:
        if self._hourly is not None:
            self._hourly.cancel()
        if self._reader is not None:
            closing = self._loop.run_in_executor(self._thread, self._reader.close)
            _, late = await asyncio.wait([closing], timeout=STOP_GRACE_S + CLOSE_S)
            if late:
                log.warning("group.left_late")
        await self._dispatcher.stop()
        await self._connections.close()
        self._view.close()
        self._outbox.close()
        self._thread.shutdown(wait=False)


def _limits(settings: Settings) -> Limits:
    return Limits(
        connect=settings.delivery_connect_ms / 1000,
        write=settings.delivery_write_ms / 1000,
        first_byte=settings.delivery_first_byte_ms / 1000,
        whole=settings.delivery_whole_ms / 1000,
    )
