"""`auditcast demo`: the whole pipeline on this machine, proved live."""

import asyncio
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import click
from rich.console import Console

from auditcast.console import logs
from auditcast.console.demo import feeding
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.show import Options, Outcome, Show
from auditcast.console.demo.simulator import scopes, workspaces
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.summary import summary
from auditcast.console.demo.temporary import topics_of_our_own
from auditcast.console.demo.view import View
from auditcast.console.registry import Registry
from auditcast.kafka.local import Broker, EmbeddedBroker

PLACES = workspaces(organizations=2, each=2, alone=1)


@click.command()
@click.option("--seconds", type=click.FloatRange(1), help="Emit for so long, then sum up. [default: until Ctrl-C]")
@click.option(
    "--events", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Emit these JSON lines instead."
)
@click.option("--kill", is_flag=True, help="Kill workers while it runs, and start others.")
@click.option("--rate", type=click.FloatRange(0.1, 20_000), default=50, show_default=True, help="Events a second.")
@click.option("--broker", metavar="HOST:PORT", help="A broker that runs already. [default: one is started]")
@click.option("--seed", type=int, help="Decides what happens. [default: drawn]")
def command(  # noqa: PLR0913  (click's options)
    seconds: float | None, events: Path | None, rate: float, broker: str | None, seed: int | None, *, kill: bool
) -> None:
    """Watch a platform's events reach its customers, signed and in order, and see that none is missing.

    Starts a broker, two processors, two deliverers and HTTPS receivers on this machine, and verifies each delivery.
    The exit code is 0 only if every event arrived at every destination, exactly as chained. Nothing is left behind.
    """
    logs.setup("ERROR")
    console = Console()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    options = Options(seconds, rate, kill, seed)
    places = PLACES if events is None else feeding.places_in(events)
    feed = feeding.simulated(seed, places) if events is None else feeding.from_file(events)

    async def show(stage: Stage, customers: Customers) -> tuple[Outcome, View]:
        async with stage:
            with View(console, stage.account, stage.workers.all) as view:
                outcome = await Show(options, stage, customers, view, feed).run(scopes(places))
            return outcome, view

    with _running(broker) as running, _folder() as folder:
        connection = running.connection(f"demo-{secrets.token_hex(4)}")
        with topics_of_our_own(connection), Registry(connection) as registry:
            stage = Stage(connection, folder, broker_time=running.broker_time)
            outcome, view = asyncio.run(show(stage, Customers(stage, registry)))
    console.print(summary(outcome, view.names, seed), soft_wrap=not console.is_terminal)
    sys.exit(1 if outcome.problems else 0)


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
