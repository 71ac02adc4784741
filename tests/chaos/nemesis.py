"""Carries out the plan: whom an action hits follows from its `pick` and from who is alive by then."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence

from auditcast.console.demo.stage import Stage
from auditcast.console.demo.workers import State, Worker
from auditcast.kafka.local import ApacheBroker
from tests.chaos import plan
from tests.chaos.editors import Editors
from tests.chaos.expiry import Expiry
from tests.chaos.picking import chosen

ENDS_WITHIN_S = 10.0
"""What a worker promises after SIGTERM."""

RESTART_AFTER_S = 1.0


class Nemesis:
    """Does harm until told to stop; `findings` are the promises that workers broke on the way."""

    def __init__(  # noqa: PLR0917  (wired in one place)
        self,
        stage: Stage,
        broker: ApacheBroker,
        editors: Editors,
        expiry: Expiry,
        wanted: dict[str, int],
        note: Callable[[str], None],
    ) -> None:
        self.findings: list[str] = []
        self.done: dict[str, int] = {}
        self._stage = stage
        self._broker = broker
        self._editors = editors
        self._expiry = expiry
        self._wanted = wanted
        self._note = note
        self._missed: set[str] = set()

    async def perform(self, actions: Sequence[plan.Action]) -> None:
        """All actions, each at its time; returns when the last has ended."""
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for action in actions:
                await asyncio.sleep(max(0, started + action.at - time.monotonic()))
                name = type(action).__name__.lower()
                self.done[name] = self.done.get(name, 0) + 1
                group.create_task(self._do(action))

    async def supervise(self) -> None:
        """Replace, for ever, the workers that ended by themselves."""
        while True:
            for worker in self._stage.workers.all:
                if worker.failed and worker.name not in self._missed:
                    self._missed.add(worker.name)
                    self.findings.append(f"{worker.name} ended by itself with {worker.code}: {worker.last_words()}")
                    self._note(self.findings[-1])
                    await asyncio.sleep(RESTART_AFTER_S)
                    await self._start(worker.kind)
            await asyncio.sleep(0.2)

    async def restore(self) -> None:
        """Have as many workers as there should be, none of them paused."""
        for worker in self._stage.workers.all:
            worker.resume()
        for kind, wanted in self._wanted.items():
            for _ in range(wanted - len(self._stage.workers.alive(kind))):
                await self._start(kind)

    async def _do(self, action: plan.Action) -> None:  # noqa: C901, PLR0912  (one case an action)
        match action:
            case plan.Kill():
                worker = self._victim(action)
                if worker is not None:
                    self._note(f"kill {worker.name}")
                    worker.kill()
                    await asyncio.sleep(action.after)
                    await self._start(worker.kind)
            case plan.Terminate():
                worker = self._victim(action)
                if worker is not None:
                    await self._terminate(worker)
                    await asyncio.sleep(action.after)
                    await self._start(worker.kind)
            case plan.Pause():
                worker = self._victim(action)
                if worker is not None:
                    self._note(f"pause {worker.name} for {action.lasting:.1f} s")
                    worker.pause()
                    await asyncio.sleep(action.lasting)
                    worker.resume()
            case plan.Grow():
                await self._start(action.kind)
                await asyncio.sleep(action.lasting)
                worker = self._victim(action)
                if worker is not None:
                    await self._terminate(worker)
            case plan.Stall():
                self._note(f"stall the broker for {action.lasting:.1f} s")
                self._broker.suspend()
                await asyncio.sleep(action.lasting)
                self._broker.resume()
            case plan.Expire():
                await self._expire(action)
            case plan.Edit():
                await self._editors.edit(action.pick, action.window_events, action.window_seconds)
            case plan.Suspend():
                await self._editors.suspend(action.pick, action.lasting)
            case plan.Add():
                await self._editors.add(action.pick)
            case plan.Delete():
                await self._editors.delete(action.pick)

    def _victim(self, action: "plan.Kill | plan.Terminate | plan.Pause | plan.Grow") -> Worker | None:
        running = [one for one in self._stage.workers.alive(action.kind) if one.state is State.RUNNING]
        return chosen(running, action.pick)

    async def _start(self, kind: str) -> None:
        if kind == plan.PROCESSOR:
            await self._expiry.over()
        self._note(f"start {self._stage.workers.start(kind).name}")

    async def _terminate(self, worker: Worker) -> None:
        self._note(f"terminate {worker.name}")
        worker.terminate()
        if not await worker.ended(ENDS_WITHIN_S):
            self.findings.append(f"{worker.name} did not end within {ENDS_WITHIN_S:.0f} s of SIGTERM")
            self._note(self.findings[-1])
            worker.kill()
        elif worker.code and not (worker.code == -signal.SIGTERM and not worker.log.stat().st_size):
            # One that was still being loaded when the signal came has logged nothing, and dies of it, rightly.
            self.findings.append(f"{worker.name} ended with {worker.code} after SIGTERM: {worker.last_words()}")
            self._note(self.findings[-1])

    async def _expire(self, action: plan.Expire) -> None:
        async def end_all() -> None:
            for worker in self._stage.workers.alive(plan.PROCESSOR):
                worker.resume()
            await asyncio.gather(*(self._terminate(one) for one in self._stage.workers.alive(plan.PROCESSOR)))

        async with self._editors.quiet():
            self._note(await self._expiry.expire(action.pick, end_all))
        for _ in range(self._wanted[plan.PROCESSOR]):
            await self._start(plan.PROCESSOR)
