"""The workers during a chaos run: started on lines that can be cut, and killed, stopped, paused and cut off."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence

from auditcast.console.demo.workers import State, Worker, Workers
from tests.chaos import plan
from tests.chaos.brokers import Brokers
from tests.chaos.journal import Journal
from tests.chaos.picking import chosen
from tests.chaos.proxy import Line

ENDS_WITHIN_S = 10.0
"""What a worker promises after SIGTERM, if it can reach the brokers."""

ENDS_AT_ALL_WITHIN_S = 40.0
RESTART_AFTER_S = 1.0


class Staff:
    """`wanted` workers of each kind; `may_start` waits until one of a kind may be started."""

    def __init__(  # noqa: PLR0917  (wired in one place)
        self,
        workers: Workers,
        lines: Sequence[Line],
        wanted: Mapping[str, int],
        brokers: Brokers,
        journal: Journal,
        may_start: Callable[[str], Awaitable[None]],
    ) -> None:
        self._workers = workers
        self._lines = lines
        self._wanted = wanted
        self._brokers = brokers
        self._journal = journal
        self._may_start = may_start
        self._line_of: dict[str, Line] = {}
        self._cut: set[Line] = set()
        self._missed: set[str] = set()

    async def restore(self) -> None:
        """Have as many workers as there should be, none of them paused."""
        for worker in self._workers.all:
            worker.resume()
        for kind in self._wanted:
            await self.restore_kind(kind)

    async def restore_kind(self, kind: str) -> None:
        """Have as many of a kind as there should be."""
        for _ in range(self._wanted[kind] - len(self._workers.alive(kind))):
            await self.start(kind)

    async def start(self, kind: str) -> None:
        """One worker more, on the line that the fewest others use."""
        await self._may_start(kind)
        alive = [self._line_of[one.name] for one in self._workers.all if one.code is None]
        line = min(self._lines, key=alive.count)
        worker = self._workers.start(kind, {"AUDITCAST_BOOTSTRAP_SERVERS": line.bootstrap})
        self._line_of[worker.name] = line
        self._journal.note(f"start {worker.name}")

    async def supervise(self) -> None:
        """Replace, for ever, the workers that ended by themselves, as whatever runs them does.

        Without brokers they may: those that have only begun do, and say why.
        """
        while True:
            for worker in self._workers.all:
                if worker.failed and worker.name not in self._missed:
                    self._missed.add(worker.name)
                    told = self._journal.finding if self._undisturbed(worker) else self._journal.note
                    told(f"{worker.name} ended by itself with {worker.code}: {worker.last_words(1)}")
                    await asyncio.sleep(RESTART_AFTER_S)
                    await self.start(worker.kind)
            await asyncio.sleep(0.2)

    async def end_all(self, kind: str) -> None:
        """In good order, as far as they keep their promise."""
        for worker in self._workers.alive(kind):
            worker.resume()
        await asyncio.gather(*(self._terminate(worker) for worker in self._workers.alive(kind)))

    async def kill(self, action: plan.Kill) -> bool:
        """As a crash does."""
        worker = self._victim(action.kind, action.pick)
        if worker is None:
            return False
        self._journal.note(f"kill {worker.name}")
        worker.kill()
        await asyncio.sleep(action.after)
        await self.start(worker.kind)
        return True

    async def terminate(self, action: plan.Terminate) -> bool:
        """As an operator does."""
        worker = self._victim(action.kind, action.pick)
        if worker is None:
            return False
        await self._terminate(worker)
        await asyncio.sleep(action.after)
        await self.start(worker.kind)
        return True

    async def pause(self, action: plan.Pause) -> bool:
        """As a stalled machine does."""
        worker = self._victim(action.kind, action.pick)
        if worker is None:
            return False
        self._journal.note(f"pause {worker.name} for {action.lasting:.1f} s")
        worker.pause()
        await asyncio.sleep(action.lasting)
        worker.resume()
        return True

    async def grow(self, action: plan.Grow) -> bool:
        """As a deployment does."""
        await self.start(action.kind)
        await asyncio.sleep(action.lasting)
        worker = self._victim(action.kind, action.pick)
        if worker is not None:
            await self._terminate(worker)
        return True

    async def sever(self, action: plan.Sever) -> bool:
        """As a network does. Others on the same line suffer, too."""
        worker = self._victim(action.kind, action.pick)
        line = self._line_of[worker.name] if worker is not None else None
        if worker is None or line is None or line in self._cut:
            return False
        where = "the brokers" if action.node is None else f"broker {action.node}"
        self._journal.note(f"cut {worker.name} off from {where} for {action.lasting:.1f} s: {action.how}")
        ways = line.ways if action.node is None else [line.ways[action.node]]
        self._cut.add(line)
        for way in ways:
            await way.cut(action.how)
        await asyncio.sleep(action.lasting)
        for way in ways:
            await way.mend()
        self._cut.discard(line)
        return True

    def _victim(self, kind: str, pick: float) -> Worker | None:
        return chosen([one for one in self._workers.alive(kind) if one.state is State.RUNNING], pick)

    async def _terminate(self, worker: Worker) -> None:
        self._journal.note(f"terminate {worker.name}")
        undisturbed = self._undisturbed(worker)
        worker.terminate()
        ended = await worker.ended(ENDS_WITHIN_S)
        undisturbed = undisturbed and self._undisturbed(worker)
        if not ended and not undisturbed:
            ended = await worker.ended(ENDS_AT_ALL_WITHIN_S)
        if not ended:
            allowed = ENDS_WITHIN_S if undisturbed else ENDS_WITHIN_S + ENDS_AT_ALL_WITHIN_S
            self._journal.finding(f"{worker.name} did not end within {allowed:.0f} s of SIGTERM")
            worker.kill()
        elif worker.code and undisturbed and not _never_ran(worker):
            self._journal.finding(f"{worker.name} ended with {worker.code} after SIGTERM: {worker.last_words()}")

    def _undisturbed(self, worker: Worker) -> bool:
        return not self._brokers.calm.locked() and self._line_of[worker.name] not in self._cut


def _never_ran(worker: Worker) -> bool:
    """Whether it was still being loaded when the signal came: then it has logged nothing, and dies of it, rightly."""
    return worker.code == -signal.SIGTERM and not worker.log.stat().st_size
