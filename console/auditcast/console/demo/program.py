"""The demo and the story of an outage, with everything that they need on this machine."""

import asyncio
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from rich.console import Console

from auditcast.console import logs
from auditcast.console.demo import feeding, outage
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.mailbox import Mailbox
from auditcast.console.demo.show import Options, Outcome, Show
from auditcast.console.demo.simulator import scopes, workspaces
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.summary import outage_summary, summary
from auditcast.console.demo.temporary import topics_of_our_own
from auditcast.console.demo.view import View
from auditcast.console.registry import Registry
from auditcast.kafka.local import Broker, EmbeddedBroker

PLACES = workspaces(organizations=2, each=2, alone=1)
OUTAGE_PLACES = workspaces(organizations=1, each=2, alone=0)


def run(options: Options, events: Path | None, broker: str | None) -> int:
    """Show the pipeline, on the broker at this address or one of our own; the exit code."""
    logs.setup("ERROR")
    console = Console()
    places = PLACES if events is None else feeding.places_in(events)
    feed = feeding.simulated(options.seed, places) if events is None else feeding.from_file(events)

    async def show(stage: Stage, customers: Customers) -> tuple[Outcome, View]:
        async with stage:
            with View(console, stage.account, stage.workers.all) as view:
                outcome = await Show(options, stage, customers, view, feed).run(scopes(places))
            return outcome, view

    with _stage(broker) as (stage, customers):
        outcome, view = asyncio.run(show(stage, customers))
    console.print(summary(outcome, view.names, options.seed), soft_wrap=not console.is_terminal)
    return 1 if outcome.problems else 0


def run_outage(seed: int, broker: str | None) -> int:
    """Tell of an outage; the exit code."""
    logs.setup("ERROR")
    console = Console()
    file = Path(tempfile.mkdtemp(prefix="auditcast-outage-")) / "emails.mbox"

    async def tell(stage: Stage, customers: Customers) -> outage.Outcome:
        stage.environment.update(outage.ENVIRONMENT)
        async with Mailbox(stage.authority.server(), file) as mailbox, stage:
            stage.environment.update(mailbox.environment(stage.authority.file))
            feed = feeding.simulated(seed, OUTAGE_PLACES)
            return await outage.Outage(stage, customers, mailbox, feed, console).tell(outage.scopes(OUTAGE_PLACES))

    with _stage(broker, receivers=len(outage.scopes(OUTAGE_PLACES))) as (stage, customers):
        told = asyncio.run(tell(stage, customers))
    console.print(outage_summary(told, file), soft_wrap=not console.is_terminal)
    return 1 if told.problems else 0


@contextmanager
def _stage(broker: str | None, receivers: int = 1) -> Iterator[tuple[Stage, Customers]]:
    """Topics of our own, and all that stands around a pipeline over them."""
    with _running(broker) as running, _folder() as folder:
        connection = running.connection(f"demo-{secrets.token_hex(4)}")
        with topics_of_our_own(connection), Registry(connection) as registry:
            stage = Stage(connection, folder, broker_time=running.broker_time, receivers=receivers)
            yield stage, Customers(stage, registry)


def _running(address: str | None) -> AbstractContextManager[Broker]:
    """The broker at `address`, which is not waited for, or one of our own."""
    return EmbeddedBroker() if address is None else nullcontext(Broker(address))


@contextmanager
def _folder() -> Iterator[Path]:
    """For the certificates and the workers' logs, which are shown if they are needed, and then removed."""
    folder = Path(tempfile.mkdtemp(prefix="auditcast-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
