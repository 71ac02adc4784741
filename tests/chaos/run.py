"""One chaos run from beginning to end."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from msgspec import Struct

from auditcast.console.demo.customers import Customers
from auditcast.console.demo.mailbox import Mailbox
from auditcast.console.demo.simulator import Platform, workspaces
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.waiting import until
from auditcast.console.demo.witness import Witness
from auditcast.console.registry import Registry
from auditcast.kafka import topics
from auditcast.kafka.local import ApacheBroker
from auditcast.producers import AuditLog
from auditcast.schemas.catalogue import Catalogue
from tests.chaos import plan
from tests.chaos.aftermath import Aftermath
from tests.chaos.brokers import Brokers
from tests.chaos.editors import Editors
from tests.chaos.emitters import Strangers, Transactions, at_rate, composed
from tests.chaos.expiry import Expiry
from tests.chaos.journal import Journal
from tests.chaos.nemesis import Nemesis
from tests.chaos.proxy import Line
from tests.chaos.report import Report, judge
from tests.chaos.staff import Staff
from tests.chaos.telling import Telling
from tests.chaos.weather import Weather

PARTITIONS = 4
RECEIVERS = 3
WANTED = {plan.PROCESSOR: 3, plan.DELIVERER: 2, plan.ALERTS: 1}
LINES = 6
PLACES = workspaces(organizations=3, each=3, alone=3)
STRANGE_PER_S = 20.0
TRANSACTIONAL = 0.15
"""Which part of the events is written in transactions."""

IN_FORCE_WITHIN_S = 60.0
IMPATIENT = {
    "AUDITCAST_RETRY_DELAYS_MS": "500,1000,2000,4000,8000",
    "AUDITCAST_PROBE_MS": "1000",
    "AUDITCAST_DELIVERY_CONNECT_MS": "2000",
    "AUDITCAST_DELIVERY_FIRST_BYTE_MS": "2000",
    "AUDITCAST_DELIVERY_WHOLE_MS": "4000",
    "AUDITCAST_DELIVERY_MAX_AGE_MS": "60000",
}
"""What takes hours in production takes seconds here."""


class Options(Struct, frozen=True):
    """What the person asked for."""

    seconds: float
    seed: int
    rate: float
    nodes: int
    logs: Path


async def run(options: Options, say: Callable[[str], None]) -> Report:
    """Do it; `say` is told in one line of everything that happens."""
    broker = ApacheBroker(options.nodes, detours=LINES)
    await asyncio.to_thread(broker.start)
    try:
        connection = broker.connection("chaos")
        await asyncio.to_thread(topics.create, connection, PARTITIONS)
        await asyncio.to_thread(topics.require, connection)
        stage = Stage(connection, options.logs, broker_time=True, receivers=RECEIVERS)
        stage.environment.update(IMPATIENT)
        mailbox = Mailbox(stage.authority.server(), options.logs / "emails.mbox")
        stage.environment.update(mailbox.environment(stage.authority.file))
        with Registry(connection) as registry:
            async with contextlib.AsyncExitStack() as stack:
                lines = [await stack.enter_async_context(Line(detours)) for detours in broker.detours]
                await stack.enter_async_context(mailbox)
                await stack.enter_async_context(stage)
                run = _Run(options, broker, stage, lines, mailbox, Customers(stage, registry), Journal(say))
                async with run.witness:
                    return await run.all()
    finally:
        await asyncio.to_thread(broker.stop)


class _Run:
    def __init__(  # noqa: PLR0917  (wired in one place)
        self,
        options: Options,
        broker: ApacheBroker,
        stage: Stage,
        lines: list[Line],
        mailbox: Mailbox,
        customers: Customers,
        journal: Journal,
    ) -> None:
        self._options = options
        self._stage = stage
        self._customers = customers
        self._journal = journal
        self._emitted = 0
        self._strangers = Strangers(stage.connection, options.seed, composed(options.seed + 1, PLACES), PARTITIONS)
        self._transactions = Transactions(
            stage.connection, options.seed, composed(options.seed + 2, PLACES), options.rate * TRANSACTIONAL
        )
        self._expiry = Expiry(stage, self._strangers)
        self._brokers = Brokers(broker, journal)
        self._staff = Staff(stage.workers, lines, WANTED, self._brokers, journal, self._expiry.over)
        self._editors = Editors(customers, PLACES, journal, self._strangers.know)
        self._weather = Weather(stage, customers, mailbox, journal)
        self._aftermath = Aftermath(stage, self._staff, customers, journal)
        self._attempts: Counter[str] = Counter()
        self.witness = Witness(stage, lambda attempted: self._attempts.update([attempted.fate]))
        self._telling = Telling(stage.account, mailbox, self.witness)
        self._nemesis = Nemesis(
            {
                plan.Kill: self._staff.kill,
                plan.Terminate: self._staff.terminate,
                plan.Pause: self._staff.pause,
                plan.Grow: self._staff.grow,
                plan.Sever: self._staff.sever,
                plan.Fall: self._brokers.fall,
                plan.Stall: self._brokers.stall,
                plan.Ail: self._weather.ail,
                plan.Absence: self._weather.absence,
                plan.Silence: self._weather.silence,
                plan.Edit: self._editors.edit,
                plan.Suspend: self._editors.suspend,
                plan.Hold: self._editors.hold,
                plan.Add: self._editors.add,
                plan.Delete: self._editors.delete,
                plan.Expire: self._expire,
            }
        )

    async def all(self) -> Report:
        await self._staff.restore()
        rng = random.Random(self._options.seed)
        await self._editors.begin(rng)
        if not await until(self._customers.all_in_force, IN_FORCE_WITHIN_S):
            self._journal.finding(f"not all destinations came in force within {IN_FORCE_WITHIN_S:.0f} s")
        self._journal.note("all destinations are in force: chaos begins")
        supervising = asyncio.create_task(self._staff.supervise())
        try:
            async with self._emitting():
                actions = plan.plan(self._options.seed, self._options.seconds, self._options.nodes)
                await asyncio.gather(self._nemesis.perform(actions), asyncio.sleep(self._options.seconds))
                self._weather.worsen(rng)
                resume = await self._editors.pause_some(rng)
                await asyncio.sleep(self._aftermath.last_s)
            self._journal.note("chaos has ended: the account of what is owed")
            await self._staff.restore()
            owed = await self._aftermath.owed()
            self._journal.note("all is healed: waiting until everything is delivered")
            self._weather.heal()
            await resume()
            settled = await self._aftermath.settled()
            await self._telling.end(self._customers.current.values())
        finally:
            supervising.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervising
        self._find_tracebacks()
        return judge(
            self._stage.account,
            seed=self._options.seed,
            seconds=self._options.seconds,
            faults=self._nemesis.faults,
            changes=self._nemesis.changes,
            emitted=self._emitted + self._transactions.committed + sum(self._strangers.done.values()),
            aborted=self._transactions.aborted,
            expired=self._expiry.records,
            expired_deliveries=self._expiry.struck,
            expiry_told=self._expiry.told(),
            deleted=self._customers.deleted(),
            owed=owed,
            strange=self._aftermath.strange,
            manifests=self._aftermath.manifests,
            settled=settled,
            attempts=self._attempts,
            telling=self._telling,
            findings=self._journal.findings,
        )

    @contextlib.asynccontextmanager
    async def _emitting(self) -> AsyncIterator[None]:
        events = Platform(self._options.seed, PLACES, Catalogue.builtin()).events()
        audit_log = AuditLog(self._stage.connection, on_failure=lambda failure: self._journal.note(failure.reason))

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
                self._journal.finding(f"an emitter ended: {trouble}")

    async def _expire(self, action: plan.Expire) -> bool:
        before = self._expiry.records
        async with self._editors.quiet(), self._brokers.calm:
            self._journal.note(await self._expiry.expire(action.pick, lambda: self._staff.end_all(plan.PROCESSOR)))
        await self._staff.restore_kind(plan.PROCESSOR)
        return self._expiry.records > before

    def _find_tracebacks(self) -> None:
        self._stage.check()
        for worker in self._stage.workers.all:
            if "Traceback" in worker.log.read_text(errors="replace"):
                self._journal.finding(f"{worker.name} logged a traceback")
