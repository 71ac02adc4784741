"""`auditcast destinations backfill`: give a destination what the log holds from before it collected anything."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from auditcast.console.amounts import SECONDS
from auditcast.console.backfill_report import Report, sentences, shape
from auditcast.console.in_force import Standing, partitions_of
from auditcast.console.moments import FORMS, moment
from auditcast.console.options import json_option
from auditcast.console.outlet import Outlet
from auditcast.console.refilling import Asked, Refilling
from auditcast.console.registry import Registry
from auditcast.console.revisions import alive
from auditcast.console.scanning import Scan
from auditcast.console.settings import Destinations
from auditcast.console.showing import as_json
from auditcast.kafka.keyrings import sealer_of, signer_of
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import read
from auditcast.kafka.topics import partitions as count_partitions
from auditcast.processors.keys import Keys
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision

WAIT_S = 60.0
"""How long it may take to come into force: the processors' rebalance, and a little more."""

SHOW_EVERY = 2_000
"""Offsets between two movements of the progress bar."""


class NotCollecting(AuditcastError):
    """Nothing is collected for the destination now, so what it misses has no end yet."""


def timeout_option(command: Callable[..., None]) -> Callable[..., None]:
    """How long to wait for the processors."""
    return click.option(
        "--timeout",
        type=SECONDS,
        metavar="SECONDS",
        default=WAIT_S,
        show_default=True,
        help="How long to wait until it is in force.",
    )(command)


@click.command("backfill")
@click.argument("id_", metavar="ID")
@click.option("--since", required=True, metavar="TIME", help=f"What happened from then on: {FORMS}.")
@click.option("--until", metavar="TIME", help="And before then; all that it missed, unless set.")
@click.option("--dry-run", is_flag=True, help="Only count what would be appended.")
@timeout_option
@json_option
def backfill(  # noqa: PLR0913  (each is one option)
    *, id_: str, since: str, until: str | None, dry_run: bool, timeout: float, json_: bool
) -> None:
    """Deliver what the destination missed: from before it was added, and while it was disabled.

    Needs a processor that runs. An event is in no two backfills, so repeating the command does no harm; one that was
    interrupted goes on where it was.
    """
    now = time.time_ns() // 1_000_000
    asked = Asked(since=moment(since, now), until=None if until is None else moment(until, now), now=now)
    settings = read(Destinations, os.environ)
    with Registry(settings.connection) as registry:
        revision = alive(registry.get(id_))
    report = fill(settings, revision, asked, timeout, dry_run=dry_run)
    click.echo(as_json(shape(report)) if json_ else "\n".join(sentences(report)))


def fill(settings: Destinations, revision: Revision, asked: Asked, timeout: float, *, dry_run: bool = False) -> Report:
    """Wait until `revision` is in force, and batch what it missed; raises `NotInForce`, `NotCollecting`, `Unproven`."""
    if not revision.collecting:
        raise NotCollecting(
            f"{revision.destination} is disabled: enable it first, what it misses until then can be had afterwards"
            if revision.state != "active"
            else f"{revision.destination} is not entitled: see 'auditcast destinations show {revision.destination}'"
        )
    connection = settings.connection
    keys = Keys(sealer_of(settings.sealing_keys), signer_of(settings.signing_keys, settings.sealing_keys))
    partitions = partitions_of(revision, count_partitions(connection))
    with Standing(connection, revision.destination) as standing:
        standing.wait(revision, partitions, timeout)
        with Scan(connection, Topics(connection.topic_prefix).events) as scan:
            refilling = Refilling(scan, standing, keys)
            plan = refilling.plan(asked, partitions)
            outlet = None if dry_run else Outlet(connection)
            try:
                with _progress(plan.size) as shown:
                    done = [refilling.run(each, outlet, shown) for each in plan.backfills]
            except KeyboardInterrupt:
                click.echo("Interrupted: the same command goes on where this was.", err=True)
                raise
    return Report(
        destination=revision.destination,
        since=asked.since,
        dry_run=dry_run,
        unknown_before=plan.unknown_before,
        done=done,
    )


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    """Gives what is told how many offsets more were read: a bar, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    read_now, shown = 0, 0
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the log", total=size)

        def show(more: int) -> None:
            nonlocal read_now, shown
            read_now += more
            if read_now - shown >= SHOW_EVERY or read_now == size:
                shown = read_now
                bar.update(task, completed=read_now)

        yield show
