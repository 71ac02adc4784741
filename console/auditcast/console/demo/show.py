"""The demo from beginning to end: a whole pipeline on this machine, watched by receivers that trust nothing."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Iterator, Sequence
from itertools import chain

from msgspec import Struct

from auditcast.console.demo.account import Row
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.feeding import Emit
from auditcast.console.demo.simulator import Scope
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.view import Totals, View, totals
from auditcast.console.demo.waiting import until
from auditcast.console.demo.workers import State
from auditcast.producers import AuditLog, BufferFull
from auditcast.schemas.errors import AuditcastError

WORKERS = ("processor", "processor", "deliverer", "deliverer")
IN_FORCE_WITHIN_S = 60.0
STUCK_AFTER_S = 30.0
"""How long nothing may arrive at the end before the rest counts as missing; longer than a window and a rebalance."""

SHOW_EVERY_S = 0.25
KILL_EVERY_S = (4.0, 8.0)
RESTART_AFTER_S = 1.5


class DemoFailed(AuditcastError):
    """The demo could not be shown, or showed that something is missing."""


class Options(Struct, frozen=True):
    """What the person asked for; `seconds` None: until interrupted."""

    seconds: float | None
    rate: float
    kill: bool
    seed: int


class Outcome(Struct, frozen=True):
    """How it ended. `problems` are sentences; none means that every event arrived everywhere, exactly as chained."""

    totals: Totals
    rows: list[Row]
    kills: int
    problems: list[str]


class Show:
    """One demo; `events` are emitted one after the other."""

    def __init__(
        self, options: Options, stage: Stage, customers: Customers, view: View, events: Iterator[Emit]
    ) -> None:
        self._options = options
        self._stage = stage
        self._customers = customers
        self._view = view
        self._events = events
        self._rng = random.Random(options.seed)  # noqa: S311  (who is killed is no secret)
        self._interrupted = asyncio.Event()
        self._emitted = 0
        self._emitting = False
        self._not_durable: list[str] = []
        self._kills = 0
        self._began = time.monotonic()
        self._rate = 0.0

    async def run(self, scopes: Sequence[Scope]) -> Outcome:
        """Show it; returns when everything has arrived, or nothing has for `STUCK_AFTER_S`. Raises `DemoFailed`."""
        main = asyncio.create_task(self._main(scopes))
        tasks = {main, asyncio.create_task(self._show())}
        if self._options.kill:
            tasks.add(asyncio.create_task(self._kill()))
        with _on_interrupt(self._interrupted, main):
            # The others go on for ever; one that ends has an error to tell.
            done, rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()
        return self._outcome()

    async def _main(self, scopes: Sequence[Scope]) -> None:
        self._view.say(f"starting {', '.join(WORKERS)}, and {len(scopes)} destinations")
        for kind in WORKERS:
            self._stage.workers.start(kind)
        for scope in scopes:
            destination = await asyncio.to_thread(self._customers.add, scope)
            self._view.names[destination] = scope.name
        ready = await until(lambda: self._customers.all_in_force() or self._interrupted.is_set(), IN_FORCE_WITHIN_S)
        if not ready:
            raise DemoFailed(
                f"the destinations did not come in force within {IN_FORCE_WITHIN_S:.0f} s:"
                " try again when this machine has less to do"
            )
        self._view.say("all destinations are in force: events begin")
        self._emitting = True
        await self._emit()
        self._emitting = False
        self._view.say("no more events: waiting for the last windows")
        await self._settle()

    async def _emit(self) -> None:
        began = time.monotonic()
        limit = self._options.seconds
        audit_log = AuditLog(
            self._stage.connection, on_failure=lambda failure: self._not_durable.append(failure.reason)
        )
        async with audit_log:
            while not self._interrupted.is_set():
                passed = time.monotonic() - began
                if limit is not None and passed >= limit:
                    break
                if not self._emit_until(audit_log, int(passed * self._options.rate)):
                    break
                self._rate = self._emitted / passed
                await asyncio.sleep(0.02)

    def _emit_until(self, audit_log: AuditLog, number: int) -> bool:
        """Emit up to event `number`; False once there are no more."""
        while self._emitted < number:
            emit = next(self._events, None)
            if emit is None:
                return False
            try:
                emit(audit_log)
            except BufferFull:  # the broker is slow: what is due comes later
                self._events = chain([emit], self._events)
                return True
            self._emitted += 1
        return True

    async def _settle(self) -> None:
        """Wait until all has arrived, or nothing new does for `STUCK_AFTER_S`."""
        await self._stage.follower.caught_up(self._stage.topics.events, STUCK_AFTER_S)
        account, delivered = self._stage.account, -1
        while account.delivered > delivered and not account.settled:
            delivered = account.delivered
            await until(lambda now=delivered: account.settled or account.delivered > now, STUCK_AFTER_S)  # type: ignore[misc]  # a default

    async def _show(self) -> None:
        while True:
            self._stage.check()
            for failure in self._stage.workers.failures():
                raise DemoFailed(failure)
            self._view.show(self._totals())
            await asyncio.sleep(SHOW_EVERY_S)

    async def _kill(self) -> None:
        while True:
            await asyncio.sleep(self._rng.uniform(*KILL_EVERY_S))
            if not self._emitting:
                continue
            victim = self._rng.choice([one for one in self._stage.workers.all if one.state is State.RUNNING])
            self._view.say(f"kill -9 {victim.name} ({victim.pid})")
            victim.kill()
            self._kills += 1
            await asyncio.sleep(RESTART_AFTER_S)
            self._stage.workers.start(victim.kind)

    def _totals(self) -> Totals:
        seconds = time.monotonic() - self._began
        return totals(self._stage.account, emitted=self._emitted, seconds=seconds, rate=self._rate)

    def _outcome(self) -> Outcome:
        account = self._stage.account
        rows = account.rows()
        logged = account.expectation.seen["events"]
        problems = [
            *(f"{len(self._not_durable)} events were not taken by the broker: {why}" for why in self._not_durable[:1]),
            *(_problem(row, self._view.names[row.destination]) for row in rows if not row.good),
            *(
                f"{self._view.names[name]}: {count} times {fault}"
                for name, ledger in account.ledgers.items()
                for fault, count in ledger.wrong.items()
            ),
            *(f"given up: {line}" for line in account.undelivered),
            *(f"the batches hold {count} times {fault}" for fault, count in account.batches.faults.items()),
        ]
        if logged != self._emitted:
            problems.append(f"{self._emitted} events were emitted and {logged} lie in the log")
        return Outcome(self._totals(), rows, self._kills, problems)


@contextlib.contextmanager
def _on_interrupt(first: asyncio.Event, main: asyncio.Task[None]) -> Iterator[None]:
    """Ctrl-C sets `first`, so that the demo ends in good order; once more cancels `main`."""

    def interrupted() -> None:
        if first.is_set():
            main.cancel()
        first.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _problem(row: Row, name: str) -> str:
    wrong = row.at_receiver
    return (
        f"{name}: {wrong.missing} of {row.expected} events are missing, {wrong.unexpected} unexpected,"
        f" {wrong.altered} altered{', in the wrong order' if wrong.disordered else ''}"
    )
