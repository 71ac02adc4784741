"""Once an hour: gives up what expires undelivered, of the partitions that this process owns."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from auditcast.deliverers import expiring, retention
from auditcast.deliverers.expiring import Expired
from auditcast.deliverers.fate import Append
from auditcast.deliverers.metrics import Metrics
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Note
from auditcast.schemas.sealing import Sealer

FIRST_S = 60.0
EVERY_S = 3600.0

log = logging.getLogger(__name__)


class Owner(Protocol):
    """Who owns partitions, and what is parked there."""

    def owned(self) -> list[int]:
        """Their numbers."""

    def expire(self, before: int) -> None:
        """Give up what was parked before `before` ms and cannot be sent now."""


class GivingUp:
    """`append` returns once a record is durable."""

    def __init__(
        self,
        connection: Connection,
        sealer: Sealer,
        append: Callable[[Append], Awaitable[object]],
        metrics: Metrics,
    ) -> None:
        self._connection = connection
        self._topics = Topics(connection.topic_prefix)
        self._sealer = sealer
        self._append = append
        self._metrics = metrics

    async def run(self, owner: Owner) -> None:
        """For ever, what is `owner`'s."""
        pause_s = FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            pause_s = EVERY_S
            try:
                await self.round(owner)
            except AuditcastError as failed:
                pause_s = FIRST_S
                log.warning("expired.unread", extra={"detail": str(failed)})

    async def round(self, owner: Owner) -> None:
        """Once."""
        names = (self._topics.parked, self._topics.dead_letters)
        parked, letters = await asyncio.to_thread(retention.kept, self._connection, names)
        if parked is not None:
            owner.expire(expiring.given_up_before(parked, _now()))
        if letters is not None:
            for number in owner.owned():
                while await self._letters(owner, number, letters):
                    pass

    async def note(self, note: Note, partition: int) -> None:
        """Return once `note` is in the log of its stream, which is in `partition`."""
        await self._append(expiring.noted(self._topics, note, partition, self._sealer))
        about = {"stream": note.stream, "sequence": note.sequence}
        events = f"{note.first_event}-{note.last_event}"
        self._metrics.gave_up()
        log.error("batch.expired", extra=about | {"events": events, "detail": note.because})

    async def _letters(self, owner: Owner, number: int, kept: int) -> bool:
        """Give up the old dead letters of one partition; whether there may be more."""
        now = _now()
        before = expiring.given_up_before(kept, now)
        found = await asyncio.to_thread(expiring.old_letters, self._connection, number, before, now)
        for letter in found:
            if number not in owner.owned():
                return False
            await self._give_up(letter, number)
        return len(found) >= expiring.AT_ONCE

    async def _give_up(self, letter: Expired, number: int) -> None:
        await self.note(letter.note, letter.partition)
        await self._append(expiring.removed(self._topics, letter, number))


def _now() -> int:
    return time.time_ns() // 1_000_000
