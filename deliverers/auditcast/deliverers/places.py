"""A bound on how many do something at a time, of which those that hang can never take all."""

import asyncio
import time

SLOW_S = 1.0
"""Who last took longer, or failed, may come to a place only in the half that such share."""


class Places:
    """`limit` places. However many hang, half of the places is left to those that get on."""

    def __init__(self, limit: int) -> None:
        self.all = asyncio.Semaphore(limit)
        self.half = asyncio.Semaphore(max(limit // 2, 1))
        self.slow: set[str] = set()

    def one(self, who: str) -> "_Place":
        """A context manager: a place for as long as `who` takes."""
        return _Place(self, who)


class _Place:
    # By hand, since contextlib would cost each delivery twice what the rest of this does.
    __slots__ = ("_begun", "_places", "_was_slow", "_who")

    def __init__(self, places: Places, who: str) -> None:
        self._places = places
        self._who = who
        self._was_slow = who in places.slow
        self._begun = 0.0

    async def __aenter__(self) -> None:
        if self._was_slow:
            await self._places.half.acquire()
        try:
            await self._places.all.acquire()
        except BaseException:
            if self._was_slow:
                self._places.half.release()
            raise
        self._begun = time.monotonic()
        self._places.slow.add(self._who)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and time.monotonic() - self._begun < SLOW_S:
            self._places.slow.discard(self._who)
        self._places.all.release()
        if self._was_slow:
            self._places.half.release()
