"""Carries out the plan: each action at its time, by whoever knows how."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tests.chaos.plan import Action, Change

Perform = Callable[[Any], Awaitable[bool]]
"""Carries out one action to its end; whether there was anything to do it to."""


class Nemesis:
    """Counts, by kind, the `faults` and the customers' `changes` that were really made."""

    def __init__(self, performers: Mapping[type[Action], Perform]) -> None:
        self.faults: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self._performers = performers

    async def perform(self, actions: Sequence[Action]) -> None:
        """All actions; returns when the last has ended."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for action in actions:
                await asyncio.sleep(max(0, started + action.at - time.monotonic()))
                group.create_task(self._one(action))

    async def _one(self, action: Action) -> None:
        if await self._performers[type(action)](action):
            counts = self.changes if isinstance(action, Change) else self.faults
            counts[type(action).__name__.lower()] += 1
