"""Who watches the deliverers work: every attempt as it is reported, and how each destination fares."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Self

from auditcast.console.demo.reading import Follower, Record
from auditcast.console.demo.stage import Stage
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Attempted, Status
from auditcast.schemas.wire import decode_as


class Witness:
    """Use as `async with`; `statuses` are the newest, by destination, and `attempted` is called with each attempt."""

    def __init__(self, stage: Stage, attempted: Callable[[Attempted], None]) -> None:
        self.statuses: dict[str, Status] = {}
        self._attempted = attempted
        takers = {stage.topics.attempts: self._attempt, stage.topics.status: self._status}
        self._follower = Follower(stage.connection, takers, stage.partitions)
        self._following: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._follower.run())
        return self

    async def __aexit__(self, *failure: object) -> None:
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        self._follower.close()

    def _attempt(self, record: Record) -> None:
        if record.value:
            self._attempted(decode_as(Attempted, record.value))

    def _status(self, record: Record) -> None:
        # Other kinds of records lie there, too, under longer keys.
        with contextlib.suppress(Undecodable):
            if record.value:
                status = decode_as(Status, record.value)
                self.statuses[status.destination] = status
