"""`auditcast demo`: the whole pipeline on this machine, proved live."""

import secrets
import sys
from pathlib import Path

import click

from auditcast.console.amounts import DAY_S, Amount
from auditcast.schemas.errors import AuditcastError


class NotInstalled(AuditcastError):
    """What only the demo needs is not there."""


@click.command()
@click.option("--seconds", type=Amount(1, DAY_S), help="Emit for so long, then sum up. [default: until Ctrl-C]")
@click.option(
    "--events", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Emit these JSON lines instead."
)
@click.option("--outage", "with_outage", is_flag=True, help="Tell what happens when a receiver goes down, in a minute.")
@click.option("--kill", is_flag=True, help="Kill workers while it runs, and start others.")
@click.option("--rate", type=Amount(0.1, 20_000), default=50, show_default=True, help="Events a second.")
@click.option("--broker", metavar="HOST:PORT", help="A broker that runs already. [default: one is started]")
@click.option("--seed", type=int, help="Decides what happens. [default: drawn]")
def command(  # noqa: PLR0913  (click's options)
    *, seconds: float | None, events: Path | None, rate: float, broker: str | None, seed: int | None, kill: bool,
    with_outage: bool,
) -> None:  # fmt: skip
    """Watch a platform's events reach its customers, signed and in order, and see that none is missing.

    Starts a broker, two processors, two deliverers and HTTPS receivers on this machine, and verifies each delivery.
    The exit code is 0 only if every event arrived at every destination, exactly as chained. Nothing is left behind,
    except the mailbox of --outage.
    """
    try:
        # What only the demo needs is an extra.
        from auditcast.console.demo import program, show  # noqa: PLC0415  (`auditcast --help` must do without it)
    except ModuleNotFoundError as missing:
        raise NotInstalled(f"the demo needs {missing.name}: run pip install 'auditcast[demo]'") from None
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    if with_outage:
        if seconds or events or kill:
            raise click.UsageError("--outage tells a story of its own: leave out --seconds, --events and --kill.")
        sys.exit(program.run_outage(seed, broker))
    sys.exit(program.run(show.Options(seconds, rate, kill, seed), events, broker))
