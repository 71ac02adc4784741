"""A bound on how many do something at a time, of which those that hang can never take all."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

SLOW_S = 1.0
"""Who last took longer, or failed, may come to a place only in the half that such share."""


class Places:
    """`limit` places. However many hang, half of the places is left to those that get on."""

    def __init__(self, limit: int) -> None:
        self._all = asyncio.Semaphore(limit)
        self._half = asyncio.Semaphore(max(limit // 2, 1))
        self._slow: set[str] = set()

    @asynccontextmanager
    async def one(self, who: str) -> AsyncIterator[None]:
        """A place for as long as `who` takes."""
        async with AsyncExitStack() as places:
            if who in self._slow:
                await places.enter_async_context(self._half)
            await places.enter_async_context(self._all)
            begun = time.monotonic()
            self._slow.add(who)
            yield
            if time.monotonic() - begun < SLOW_S:
                self._slow.discard(who)
