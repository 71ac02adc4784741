"""One chaos run from beginning to end."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from msgspec import Struct

from auditcast.console.demo.customers import Customers
from auditcast.console.demo.simulator import Platform, workspaces
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.waiting import until
from auditcast.console.registry import Registry
from auditcast.kafka import topics
from auditcast.kafka.local import ApacheBroker
from auditcast.producers import AuditLog
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.catalogue import Catalogue
from tests.chaos.editors import Editors
from tests.chaos.emitters import Composed, Strangers, Transactions, at_rate
from tests.chaos.expiry import Expiry
from tests.chaos.nemesis import Nemesis
from tests.chaos.plan import DELIVERER, PROCESSOR, plan
from tests.chaos.report import Report, judge

PARTITIONS = 4
WANTED = {PROCESSOR: 3, DELIVERER: 2}
PLACES = workspaces(organizations=3, each=3, alone=3)
STRANGE_PER_S = 20.0
TRANSACTIONAL = 0.15
"""Which part of the events is written in transactions."""

IN_FORCE_WITHIN_S = 60.0
STUCK_AFTER_S = 60.0
"""How long nothing may be delivered at the end before the rest counts as lost."""


class Options(Struct, frozen=True):
    """What the person asked for."""

    seconds: float
    seed: int
    rate: float
    broker: bool
    logs: Path


async def run(options: Options, say: Callable[[str], None]) -> Report:
    """Do it; `say` is told in one line of everything that happens."""
    started = time.monotonic()

    def note(text: str) -> None:
        say(f"{time.monotonic() - started:6.1f} s  {text}")

    broker = ApacheBroker()
    await asyncio.to_thread(broker.start)
    try:
        connection = broker.connection("chaos")
        await asyncio.to_thread(topics.create, connection, PARTITIONS)
        await asyncio.to_thread(topics.require, connection)
        stage = Stage(connection, options.logs, broker_time=True)
        with Registry(connection) as registry:
            async with stage:
                return await _Run(options, broker, stage, Customers(stage, registry), note).all()
    finally:
        await asyncio.to_thread(broker.stop)


class _Run:
    def __init__(
        self, options: Options, broker: ApacheBroker, stage: Stage, customers: Customers, note: Callable[[str], None]
    ) -> None:
        self._options = options
        self._stage = stage
        self._customers = customers
        self._note = note
        self._emitted = 0
        self._strangers = Strangers(stage.connection, options.seed, _composed(options.seed + 1), PARTITIONS)
        self._editors = Editors(customers, PLACES, note, self._strangers.know)
        self._expiry = Expiry(stage, self._strangers)
        self._nemesis = Nemesis(stage, broker, self._editors, self._expiry, WANTED, note)
        self._transactions = Transactions(
            stage.connection, options.seed, _composed(options.seed + 2), options.rate * TRANSACTIONAL
        )

    async def all(self) -> Report:
        for kind, wanted in WANTED.items():
            for _ in range(wanted):
                self._stage.workers.start(kind)
        await self._editors.begin(random.Random(self._options.seed))
        if not await until(self._customers.all_in_force, IN_FORCE_WITHIN_S):
            self._nemesis.findings.append(f"not all destinations came in force within {IN_FORCE_WITHIN_S:.0f} s")
        self._note("all destinations are in force: chaos begins")
        supervising = asyncio.create_task(self._nemesis.supervise())
        try:
            async with self._emitting():
                actions = plan(self._options.seed, self._options.seconds, broker=self._options.broker)
                await asyncio.gather(self._nemesis.perform(actions), asyncio.sleep(self._options.seconds))
            self._note("chaos has ended: waiting until all is delivered")
            await self._nemesis.restore()
            settled = await self._settled()
        finally:
            supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervising
        return self._report(settled=settled)

    @contextlib.asynccontextmanager
    async def _emitting(self) -> AsyncIterator[None]:
        events = Platform(self._options.seed, PLACES, Catalogue.builtin()).events()
        audit_log = AuditLog(self._stage.connection, on_failure=lambda failure: self._note(failure.reason))

        def emit() -> None:
            audit_log.emit(**next(events))
            self._emitted += 1

        plain = asyncio.create_task(at_rate(self._options.rate * (1 - TRANSACTIONAL), emit))
        strange = asyncio.create_task(at_rate(STRANGE_PER_S, self._strangers.turn))
        self._transactions.start()
        try:
            yield
        finally:
            for task in (plain, strange):
                task.cancel()
            ended = await asyncio.gather(plain, strange, return_exceptions=True)
            await asyncio.gather(
                *(asyncio.to_thread(end) for end in (audit_log.close, self._transactions.end, self._strangers.end))
            )
        for trouble in [*ended, self._transactions.trouble]:
            if trouble is not None and not isinstance(trouble, asyncio.CancelledError):
                self._nemesis.findings.append(f"an emitter ended: {trouble}")

    async def _settled(self) -> bool:
        stage = self._stage
        await stage.follower.caught_up(stage.topics.events, STUCK_AFTER_S)
        delivered = -1
        while stage.account.delivered > delivered:
            delivered = stage.account.delivered
            if await until(lambda: stage.account.settled, STUCK_AFTER_S):
                return True
            self._note(f"{stage.account.expectation.deliveries - stage.account.delivered} are still to be delivered")
        return False

    def _report(self, *, settled: bool) -> Report:
        self._stage.check()
        logs = {worker.name: worker.log.read_text(errors="replace") for worker in self._stage.workers.all}
        self._nemesis.findings += [f"{name} logged a traceback" for name, log in logs.items() if "Traceback" in log]
        return judge(
            self._stage.account,
            seed=self._options.seed,
            seconds=self._options.seconds,
            actions=self._nemesis.done,
            emitted=self._emitted + self._transactions.committed + sum(self._strangers.done.values()),
            aborted=self._transactions.aborted,
            expired=self._expiry.records,
            expired_deliveries=self._expiry.struck,
            expiry_told=self._expiry.told(),
            settled=settled,
            findings=self._nemesis.findings,
        )


def _composed(seed: int) -> Iterator[Composed]:
    """Events as `AuditLog` writes them, for those who write them otherwise."""
    memory = MemoryAuditLog()
    for fields in Platform(seed, PLACES, Catalogue.builtin()).events():
        yield memory.emit(**fields), fields["workspace"], memory.values.pop()
