"""The shell around the lanes: parcels in from the reader, one at a time per lane out to the courier, settled after."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from auditcast.deliverers.fate import Append, decide
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.outcomes import Outcome
from auditcast.deliverers.parcels import Claim, Parcel
from auditcast.deliverers.reader import Settled
from auditcast.kafka.names import Topics


class Dispatcher:
    """Runs the lanes in the event loop. `failed` is called with whatever ends the process."""

    def __init__(
        self,
        lanes: Lanes,
        topics: Topics,
        *,
        deliver: Callable[[Parcel], Awaitable[Outcome]],
        append: Callable[[Append], Awaitable[None]],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._lanes = lanes
        self._topics = topics
        self._deliver = deliver
        self._append = append
        self._failed = failed
        self._settled: list[Settled] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._landed = asyncio.Event()

    def receive(self, parcels: list[Parcel]) -> None:
        """Queue what was read."""
        for parcel in parcels:
            if parcel.claim.live and self._lanes.add(parcel):
                task = asyncio.create_task(self._run(parcel.lane))
                self._tasks.add(task)
                task.add_done_callback(self._ended)

    def settled(self) -> list[Settled]:
        """What was settled since the last call."""
        taken, self._settled = self._settled, []
        return taken

    def held(self) -> frozenset[Claim] | None:
        """The claims to pause; None for all."""
        return None if self._lanes.overflowing else self._lanes.held()

    async def release(self, claims: list[Claim], grace_s: float) -> list[Settled]:
        """Give `claims` up: forget what waits, let what is in flight finish within `grace_s`; returns what settled.

        What is in flight still goes on to its end, so that its lane keeps its order; it has no consequences then.
        """
        self._lanes.withdraw(claims)
        try:
            async with asyncio.timeout(grace_s):
                while self._lanes.flying(claims):
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            pass
        return self.settled()

    async def stop(self) -> None:
        """Break off whatever is still in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, lane: str) -> None:
        """Work a lane off, until nothing waits in it."""
        while (parcel := self._lanes.take(lane)) is not None:
            outcome = await self._deliver(parcel)
            if parcel.claim.live:
                record = decide(parcel, outcome, self._topics, int(time.time() * 1000))
                if record is not None:
                    await self._append(record)
                self._settled.append((parcel.claim, parcel.offset))
            self._lanes.landed(lane)
            self._landed.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
