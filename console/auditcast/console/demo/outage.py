"""An outage as a story: a receiver goes down; nothing is lost, nobody else waits, and people are told."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from msgspec import Struct
from rich.console import Console

from auditcast.console.demo.account import Row
from auditcast.console.demo.chronicle import Chronicle
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.feeding import Emit
from auditcast.console.demo.mailbox import Mailbox
from auditcast.console.demo.operator import Operator
from auditcast.console.demo.simulator import Scope, Workspace
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.vantage import Vantage
from auditcast.console.demo.waiting import until
from auditcast.console.demo.witness import Witness
from auditcast.producers import AuditLog
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Attempted

WORKERS = ("processor", "deliverer", "deliverer", "alerts")
DELAYS_S = (1.0, 1.5, 2.0, 2.5, 3.0)
"""Of the retries: half a minute stands for the hours that an outage may last."""

ENVIRONMENT = {
    "AUDITCAST_RETRY_DELAYS_MS": ",".join(str(int(1000 * delay)) for delay in DELAYS_S),
    "AUDITCAST_PROBE_MS": "1000",
    "AUDITCAST_ALERT_EVERY_MS": "1000",
}
RATE = 30.0
WELL_S = 4.0
"""How long all is well before and after."""

STEP_WITHIN_S = 60.0
LOOK_EVERY_S = 0.05


class OutageFailed(AuditcastError):
    """What was to be shown did not happen."""


class Outcome(Struct, frozen=True):
    """What was seen, times in seconds; `problems` are sentences, and none means that the story is true."""

    rows: list[Row]
    names: dict[str, str]
    emitted: int
    retries: int
    letters: int
    emails: int
    lasted: float
    others_waited: float
    problems: list[str]


def scopes(places: Sequence[Workspace]) -> list[Scope]:
    """The destinations of the story, the first of them the unlucky one."""
    named: list[tuple[str, str | None, str | None]] = [(f"{place.id} / SIEM", place.id, None) for place in places]
    named += [(f"{places[0].organization} / archive", None, places[0].organization)]
    return [
        Scope(name=name, workspace=workspace, organization=organization, window_events=20, window_seconds=2)
        for name, workspace, organization in named
    ]


class Outage:
    """One story, on a stage that has a server of its own for each destination; `events` are emitted one by one."""

    def __init__(
        self, stage: Stage, customers: Customers, mailbox: Mailbox, events: Iterator[Emit], console: Console
    ) -> None:
        self._stage = stage
        self._account = stage.account
        self._customers = customers
        self._mailbox = mailbox
        self._events = events
        self._operator = Operator(stage.environment)
        self._witness = Witness(stage, self._attempted)
        self._vantage = Vantage(stage, customers, self._witness)
        self._chronicle = Chronicle(console, self._vantage.lines, DELAYS_S)
        self._unlucky = ""
        self._went_down = 0.0
        self._lasted = 0.0
        self._emitted = 0
        self._retries = 0
        self._emails_shown = 0
        self._problems: list[str] = []

    async def tell(self, scopes: Sequence[Scope]) -> Outcome:
        """From beginning to end; raises `OutageFailed` if something does not happen that should."""
        with self._chronicle:
            async with self._witness:
                story, watch = asyncio.create_task(self._story(scopes)), asyncio.create_task(self._watch())
                for number in (signal.SIGINT, signal.SIGTERM):
                    asyncio.get_running_loop().add_signal_handler(number, story.cancel)
                await asyncio.wait({story, watch}, return_when=asyncio.FIRST_COMPLETED)
                for task in (story, watch):
                    task.cancel()
                ended = await asyncio.gather(story, watch, return_exceptions=True)
        for error in ended:
            if error is not None and not isinstance(error, asyncio.CancelledError):
                raise error
        if story.cancelled():
            raise OutageFailed("the demo was interrupted before its end")
        return self._outcome()

    async def _story(self, scopes: Sequence[Scope]) -> None:
        await self._begin(scopes)
        async with self._emitting():
            await self._all_is_well()
            await self._goes_down()
            await self._owner_is_told()
            await self._comes_back()
        await self._letters_are_replayed()
        await self._everything_is_there()

    async def _begin(self, scopes: Sequence[Scope]) -> None:
        self._chronicle.chapter(
            "A platform and its customers",
            f"Starting {', '.join(WORKERS)}, a mail server, and {len(scopes)} receivers that verify what they get.",
        )
        for kind in WORKERS:
            self._stage.workers.start(kind)
        for scope in scopes:
            destination = await asyncio.to_thread(self._customers.add, scope)
            self._vantage.names[destination] = scope.name
            self._unlucky = self._unlucky or destination
        await self._must(self._customers.all_in_force, "the destinations did not come in force")
        self._chronicle.say("all destinations are in force")

    async def _all_is_well(self) -> None:
        self._chronicle.chapter("All is well", f"{RATE:.0f} events a second, in batches of up to 20 or two seconds.")
        ledgers = self._account.ledgers.values()
        await self._must(lambda: all(ledger.batches for ledger in ledgers), "not every receiver got a batch")
        await asyncio.sleep(WELL_S)
        self._chronicle.snapshot()

    async def _goes_down(self) -> None:
        delays = ", ".join(f"{delay:g}" for delay in DELAYS_S)
        self._chronicle.chapter(
            f"The receiver of {self._vantage.names[self._unlucky]} goes down",
            f"A batch that fails is tried again after {delays} s (in production: 30 s to 4 h): same id, same bytes.",
            "While failures go on, later batches are parked unsent, in order, and single requests probe the receiver.",
        )
        await self._stage.receiver_of(self._unlucky).go_down()
        self._went_down = time.monotonic()
        self._vantage.time_all_but(self._unlucky)
        await self._must(lambda: bool(self._account.owed), "no dead letter was written")
        self._chronicle.say("the retries of a batch are used up: it is kept as a dead letter")

    async def _owner_is_told(self) -> None:
        await self._must(self._has_mail, "no email came")
        self._chronicle.chapter("The owner is told")
        self._show_emails()
        self._chronicle.say(f"the mailbox is {self._mailbox.file}, and stays")
        self._chronicle.snapshot()

    async def _comes_back(self) -> None:
        self._chronicle.chapter(
            "The receiver comes back", "The next probe finds out, and what is parked follows in order, by itself."
        )
        await self._stage.receiver_of(self._unlucky).come_back()
        self._lasted = time.monotonic() - self._went_down
        self._vantage.time_all_but(None)
        await self._must(lambda: not self._vantage.parked(self._unlucky), "what was parked did not arrive")
        self._chronicle.say("nothing is parked any more", "green")
        await self._must(self._has_mail, "no email about the recovery came")
        self._show_emails()

    async def _letters_are_replayed(self) -> None:
        self._chronicle.chapter("An operator sends the dead letters again")
        await self._must(lambda: self._vantage.late() <= self._account.owed_events, "some batches did not arrive")
        self._chronicle.command(await self._operator.run("dead-letters", "list"))
        said = await self._operator.run("dead-letters", "replay", "--destination", self._unlucky, "--yes")
        self._chronicle.command(said)
        if said.code:
            self._problems.append(f"{said.command} ended with {said.code}")

    async def _everything_is_there(self) -> None:
        await self._must(lambda: self._account.settled and not self._account.owed, "not everything arrived")
        self._chronicle.chapter("Everything is there")
        self._chronicle.snapshot()

    @contextlib.asynccontextmanager
    async def _emitting(self) -> AsyncIterator[None]:
        emitting = asyncio.create_task(self._emit())
        try:
            yield
        finally:
            emitting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await emitting

    async def _emit(self) -> None:
        began = time.monotonic()
        async with AuditLog(
            self._stage.connection, on_failure=lambda failed: self._problems.append(failed.reason)
        ) as log:
            while True:
                while self._emitted < (time.monotonic() - began) * RATE:
                    next(self._events)(log)
                    self._emitted += 1
                await asyncio.sleep(LOOK_EVERY_S)

    async def _watch(self) -> None:
        """See that all parts live, how long the lucky ones wait, and that the table is up to date; for ever."""
        while True:
            self._stage.check()
            for failure in self._stage.workers.failures():
                raise OutageFailed(failure)
            self._vantage.look(time.monotonic())
            self._chronicle.refresh()
            await asyncio.sleep(LOOK_EVERY_S)

    async def _must(self, condition: Callable[[], bool], complaint: str) -> None:
        if not await until(condition, STEP_WITHIN_S):
            raise OutageFailed(f"{complaint} within {STEP_WITHIN_S:.0f} s: try again when this machine has less to do")

    def _attempted(self, attempted: Attempted) -> None:
        if attempted.destination == self._unlucky and (attempted.fate != "delivered" or attempted.number > 1):
            self._retries += attempted.number > 1
            self._chronicle.attempt(attempted)

    def _has_mail(self) -> bool:
        return len(self._mailbox.emails) > self._emails_shown

    def _show_emails(self) -> None:
        for email in self._mailbox.emails[self._emails_shown :]:
            self._chronicle.email(email)
            self._emails_shown += 1

    def _outcome(self) -> Outcome:
        rows = self._account.rows()
        problems = [
            *self._problems,
            *(
                f"{self._vantage.names[row.destination]}: {row.at_receiver.missing} events are missing"
                for row in rows
                if not row.good
            ),
            *(
                f"{self._vantage.names[name]}: {count} times {fault}"
                for name, ledger in self._account.ledgers.items()
                for fault, count in ledger.wrong.items()
            ),
        ]
        return Outcome(
            rows=rows,
            names=self._vantage.names,
            emitted=self._emitted,
            retries=self._retries,
            letters=self._account.letters.total(),
            emails=len(self._mailbox.emails),
            lasted=self._lasted,
            others_waited=self._vantage.longest_wait,
            problems=problems,
        )
