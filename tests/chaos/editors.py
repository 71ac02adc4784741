"""Customers who change their destinations at the worst of times; each call picks one that is not being changed."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from auditcast.console.choices import Choices
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.simulator import Scope, Workspace
from auditcast.kafka.errors import BrokerUnavailable
from tests.chaos import plan
from tests.chaos.journal import Journal
from tests.chaos.picking import chosen

T = TypeVar("T")

WINDOWS = ((100, 2), (100, 5), (50, 3), (20, 1))
"""Events and seconds."""

TRIES = 10


class Editors:
    """`know` is told of every destination."""

    def __init__(
        self, customers: Customers, places: Sequence[Workspace], journal: Journal, know: Callable[[str], None]
    ) -> None:
        self._customers = customers
        self._places = places
        self._journal = journal
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

    async def edit(self, action: plan.Edit) -> bool:
        """Another description and window."""
        choices = Choices(
            description=f"edited {action.pick:.6f}",
            window_events=action.window_events,
            window_seconds=action.window_seconds,
        )
        async with self._one(action.pick) as destination:
            if destination is None:
                return False
            self._journal.note(f"edit {destination}: {action.window_events} events, {action.window_seconds} s")
            await self._surely(lambda: self._customers.edit(destination, choices))
        return True

    async def suspend(self, action: plan.Suspend) -> bool:
        """Disable it for a while."""
        async with self._one(action.pick) as destination:
            if destination is None:
                return False
            self._journal.note(f"disable {destination} for {action.lasting:.1f} s")
            await self._surely(lambda: self._customers.disable(destination))
            await asyncio.sleep(action.lasting)
            await self._surely(lambda: self._customers.enable(destination))
        return True

    async def hold(self, action: plan.Hold) -> bool:
        """Pause it for a while."""
        async with self._one(action.pick) as destination:
            if destination is None:
                return False
            self._journal.note(f"hold back what is for {destination} for {action.lasting:.1f} s")
            await self._surely(lambda: self._customers.pause(destination))
            await asyncio.sleep(action.lasting)
            await self._surely(lambda: self._customers.resume(destination))
        return True

    async def add(self, action: plan.Add) -> bool:
        """One destination more: every fourth follows an organization."""
        await self._may.wait()
        place = chosen(self._places, action.pick)
        if place is None:
            return False
        window = WINDOWS[int(action.pick * 1000) % len(WINDOWS)]
        if place.organization is not None and int(action.pick * 100) % 4 == 0:
            await self._add(window, organization=place.organization)
        else:
            await self._add(window, workspace=place.id)
        return True

    async def delete(self, action: plan.Delete) -> bool:
        """One destination less."""
        async with self._one(action.pick) as destination:
            if destination is None:
                return False
            self._journal.note(f"delete {destination}")
            await self._surely(lambda: self._customers.delete(destination))
        return True

    async def pause_some(self, rng: random.Random) -> Callable[[], Awaitable[None]]:
        """Pause a fifth of the destinations; what is returned resumes them."""
        held = rng.sample(sorted(self._active()), len(self._active()) // 5)
        for destination in held:
            self._journal.note(f"hold back what is for {destination} until the end")
            await self._surely(lambda one=destination: self._customers.pause(one))  # type: ignore[misc]  # a default

        async def resume() -> None:
            for destination in held:
                await self._surely(lambda one=destination: self._customers.resume(one))  # type: ignore[misc]  # the same

        return resume

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
        destination = await self._surely(lambda: self._customers.add(scope))
        self._journal.note(f"add {destination} to {workspace or organization}: {window[0]} events, {window[1]} s")
        self._know(destination)

    async def _surely(self, change: Callable[[], T]) -> T:
        """Make it, again and again while the brokers do not confirm it, as a customer would."""
        for _ in range(TRIES):
            try:
                return await asyncio.to_thread(change)
            except BrokerUnavailable as unavailable:
                self._journal.note(str(unavailable))
        raise BrokerUnavailable(f"a change was not confirmed in {TRIES} tries")

    def _active(self) -> list[str]:
        return [one.destination for one in self._customers.current.values() if one.state == "active"]

    @asynccontextmanager
    async def _one(self, pick: float) -> AsyncIterator[str | None]:
        await self._may.wait()
        destination = chosen([name for name in self._active() if name not in self._busy], pick)
        if destination is not None:
            self._busy.add(destination)
        try:
            yield destination
        finally:
            self._busy.discard(destination or "")
