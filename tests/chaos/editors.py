"""Customers who change their destinations at the worst of times; each call picks one that is not being changed."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from auditcast.console.demo.customers import Customers
from auditcast.console.demo.simulator import Scope, Workspace
from auditcast.console.revisions import Choices
from tests.chaos.picking import chosen

WINDOWS = ((100, 2), (100, 5), (50, 3), (20, 1))
"""Events and seconds."""


class Editors:
    """`note` is told of every change, `know` of every destination."""

    def __init__(
        self,
        customers: Customers,
        places: Sequence[Workspace],
        note: Callable[[str], None],
        know: Callable[[str], None],
    ) -> None:
        self._customers = customers
        self._places = places
        self._note = note
        self._know = know
        self._busy: set[str] = set()
        self._may = asyncio.Event()
        self._may.set()

    async def begin(self, rng: random.Random) -> None:
        """The destinations at the start: several in the busier workspaces, one in others, two organizations."""
        workspaces = [place.id for place in self._places[:6]]
        organizations = {place.organization for place in self._places if place.organization}
        for workspace in workspaces + workspaces[:3]:
            await self._add(rng.choice(WINDOWS), workspace=workspace)
        for organization in sorted(organizations)[:2]:
            await self._add(rng.choice(WINDOWS), organization=organization)

    async def edit(self, pick: float, window_events: int, window_seconds: int) -> None:
        """Another description and window."""
        choices = Choices(description=f"edited {pick:.6f}", window_events=window_events, window_seconds=window_seconds)
        async with self._one(pick) as destination:
            if destination is not None:
                self._note(f"edit {destination}: {window_events} events, {window_seconds} s")
                await asyncio.to_thread(self._customers.edit, destination, choices)

    async def suspend(self, pick: float, lasting: float) -> None:
        """Disable it for a while."""
        async with self._one(pick) as destination:
            if destination is not None:
                self._note(f"disable {destination} for {lasting:.1f} s")
                await asyncio.to_thread(self._customers.disable, destination)
                await asyncio.sleep(lasting)
                await asyncio.to_thread(self._customers.enable, destination)

    async def add(self, pick: float) -> None:
        """One destination more: every fourth follows an organization."""
        await self._may.wait()
        place = chosen(self._places, pick)
        window = WINDOWS[int(pick * 1000) % len(WINDOWS)]
        if place is not None and place.organization is not None and int(pick * 100) % 4 == 0:
            await self._add(window, organization=place.organization)
        elif place is not None:
            await self._add(window, workspace=place.id)

    async def delete(self, pick: float) -> None:
        """One destination less."""
        async with self._one(pick) as destination:
            if destination is not None:
                self._note(f"delete {destination}")
                await asyncio.to_thread(self._customers.delete, destination)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Nobody begins a change meanwhile."""
        self._may.clear()
        try:
            yield
        finally:
            self._may.set()

    async def _add(
        self, window: tuple[int, int], workspace: str | None = None, organization: str | None = None
    ) -> None:
        scope = Scope(
            name="chaos",
            workspace=workspace,
            organization=organization,
            window_events=window[0],
            window_seconds=window[1],
        )
        destination = await asyncio.to_thread(self._customers.add, scope)
        self._note(f"add {destination} to {workspace or organization}: {window[0]} events, {window[1]} s")
        self._know(destination)

    @asynccontextmanager
    async def _one(self, pick: float) -> AsyncIterator[str | None]:
        await self._may.wait()
        free = [
            revision.destination
            for revision in self._customers.current.values()
            if revision.state == "active" and revision.destination not in self._busy
        ]
        destination = chosen(free, pick)
        if destination is not None:
            self._busy.add(destination)
        try:
            yield destination
        finally:
            self._busy.discard(destination or "")
