"""Wires the alert emails: views of the topics, a share in the work, the watch, and the mail server."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from auditcast.deliverers import host
from auditcast.deliverers.alerts import expiry, letters
from auditcast.deliverers.alerts.alert import HOUR_MS, Ageing, Policy
from auditcast.deliverers.alerts.envelope import Desk
from auditcast.deliverers.alerts.metrics import Metrics
from auditcast.deliverers.alerts.misfortunes import PostClosed
from auditcast.deliverers.alerts.post import Post
from auditcast.deliverers.alerts.retention import policy
from auditcast.deliverers.alerts.settings import Settings
from auditcast.deliverers.alerts.share import Share
from auditcast.deliverers.alerts.sight import Sight
from auditcast.deliverers.alerts.watch import Watch
from auditcast.deliverers.newest import Newest
from auditcast.deliverers.outbox import Outbox
from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.names import Topics
from auditcast.kafka.views import View, read_compacted
from auditcast.schemas.errors import AuditcastError, Undecodable
from auditcast.schemas.records import Alerted
from auditcast.schemas.wire import decode_as

READ_S = 60.0
"""How long reading a compacted topic may take."""

TRY_AGAIN_S = 30.0
"""When a scan is tried again that failed."""

OUTBOX_BYTES = 1_000_000
"""Records that wait for the broker: one at a time, and small."""

GRACE_S = 5.0
"""How long an email on its way may hold up a rebalance, or the end."""

log = logging.getLogger(__name__)


async def run(settings: Settings, metrics: Metrics) -> None:
    """Send alerts until SIGTERM or SIGINT; raises what cannot be gone on with."""
    ended, end = host.ending()
    await _Alerts(settings, metrics, end).run(ended)


class _Alerts:
    """The parts, and their order of beginning and ending."""

    def __init__(self, settings: Settings, metrics: Metrics, end: Callable[[BaseException | None], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._settings = settings
        self._metrics = metrics
        self._connection = settings.connection
        self._end = end
        self._closing = False
        self._topics = Topics(self._connection.topic_prefix)
        self._post = Post(settings)
        self._newest = Newest()
        self._revisions = View(self._connection, self._topics.destinations, self._revised, self._failed)
        self._statuses = View(self._connection, self._topics.status, self._changed, self._failed)
        # A change of a workspace that concerns a destination changes that one, too; the rest is seen by the next sweep.
        self._workspaces = View(self._connection, self._topics.workspaces, on_error=self._failed)
        self._outbox = Outbox(self._connection, OUTBOX_BYTES)
        self._watch: Watch | None = None
        self._share = Share(
            self._connection,
            self._topics.status,
            self._topics.alerts_group,
            assigned=self._assigned,
            revoked=self._revoked,
            failed=self._failed,
        )

    async def run(self, ended: asyncio.Future[None]) -> None:
        """Watch until `ended`."""
        work = asyncio.create_task(self._work())
        try:
            await ended
        finally:
            self._closing = True
            await asyncio.to_thread(self._share.close)
            work.cancel()
            await asyncio.wait([work])
            await self._post.rest()
            await asyncio.to_thread(self._close)
        log.info("alerts.stopped")

    async def _work(self) -> None:
        try:
            await self._begin()
        except Exception as error:  # noqa: BLE001  (whatever it is, it ends the process)
            self._end(error)

    async def _begin(self) -> None:
        partitions = await asyncio.to_thread(self._look_around)
        try:
            await self._post.check()
        except PostClosed as closed:
            log.warning("mail.closed", extra={"detail": str(closed)})
        self._watch = Watch(
            self._topics,
            partitions,
            Desk(self._settings.smtp_from, self._settings.alert_to, self._settings.console_url),
            sight=Sight(self._names, self._newest.get, self._statuses.get, self._workspaces.get),
            post=self._post,
            append=self._outbox.append,
            metrics=self._metrics,
            now=_now,
        )
        self._share.start()
        log.info("alerts.started")
        await asyncio.gather(self._watch.run(), self._learn(self._watch))

    def _look_around(self) -> int:
        """See that the topics are right, learn how all destinations stand; returns the number of partitions."""
        for difference in kafka_topics.require(self._connection, self._settings.timestamps, trial=False):
            log.warning("topics.differ", extra={"detail": str(difference)})
        for view in (self._revisions, self._statuses, self._workspaces):
            view.start()
            view.wait_caught_up(READ_S)
        return kafka_topics.partitions(self._connection)

    async def _learn(self, watch: Watch) -> None:
        """Once an hour, find out how long things are kept, and which dead letters are about to expire."""
        while True:
            pause_s = HOUR_MS / 1000
            try:
                kept = await asyncio.to_thread(policy, self._settings)
                watch.learn(kept)
                watch.learn_ageing(await asyncio.to_thread(self._scan, kept))
            except AuditcastError as failed:
                pause_s = TRY_AGAIN_S
                log.warning("alerts.scan_failed", extra={"detail": str(failed)})
            await asyncio.sleep(pause_s)

    def _scan(self, kept: Policy) -> dict[str, Ageing]:
        if kept.letters_retention is None:
            return {}
        before = _now() - kept.letters_retention + expiry.ahead(kept)
        return letters.scan(self._connection, self._topics.dead_letters, before, lambda: self._closing)

    def _assigned(self, partitions: Sequence[int]) -> None:
        """In the thread of the share: read what was told there, all of it, before anything is told again."""
        told = {partition: self._read_told(partition) for partition in partitions}
        if self._watch is not None:
            self._loop.call_soon_threadsafe(self._watch.take, told)

    def _read_told(self, partition: int) -> dict[str, Alerted]:
        found = {}
        for key, value in read_compacted(self._connection, self._topics.alerts, partition, READ_S).items():
            try:
                found[key.decode(errors="replace")] = decode_as(Alerted, value)
            except Undecodable as unreadable:
                log.warning("alerts.unreadable", extra={"key": repr(key), "detail": str(unreadable)})
        return found

    def _revoked(self, partitions: Sequence[int]) -> None:
        """In the thread of the share: let what is on its way arrive."""
        if self._watch is not None:
            asyncio.run_coroutine_threadsafe(self._watch.give(partitions, GRACE_S), self._loop).result()

    def _names(self) -> list[bytes]:
        """The keys under which destinations are known."""
        return [key for view in (self._revisions, self._statuses) for key, _ in view.items()]

    def _revised(self, key: bytes, value: bytes | None) -> None:
        # Deliverers append again what a void revision lies over; it is no revision here anyway.
        self._newest.take(key, value)
        self._changed(key, value)

    def _changed(self, key: bytes, _: bytes | None) -> None:
        if self._watch is not None:
            self._loop.call_soon_threadsafe(self._watch.changed, key.decode(errors="replace"))

    def _failed(self, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._end, error)

    def _close(self) -> None:
        for part in (self._revisions, self._statuses, self._workspaces, self._outbox):
            part.close()


def _now() -> int:
    return time.time_ns() // 1_000_000
