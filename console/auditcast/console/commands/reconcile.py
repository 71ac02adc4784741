"""`auditcast reconcile`: what was emitted against what was delivered, and where lies what is still owed."""

import os
import sys
import time
from typing import Any

import click

from auditcast.console.letter_options import When
from auditcast.console.moments import NoMoment, age
from auditcast.console.options import json_option
from auditcast.console.reading_aloud import ReadingAloud
from auditcast.console.reconciling.counts import Window
from auditcast.console.reconciling.gathering import Gatherer
from auditcast.console.reconciling.log import Asked
from auditcast.console.reconciling.report import Report, sentences, shape, tables
from auditcast.console.registry import Registry
from auditcast.console.settings import Destinations
from auditcast.console.showing import as_json
from auditcast.console.tables import render
from auditcast.kafka.keyrings import sealer_of
from auditcast.kafka.settings import Connection, read
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision

DAY_MS = 86_400_000


class NothingToReconcile(AuditcastError):
    """There is no destination of which anything could be told."""


class Age(click.ParamType):
    """A duration, in ms."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """What `value` says; a misuse of the command if that is nothing."""
        try:
            return age(value)
        except NoMoment as wrong:
            self.fail(str(wrong), param, ctx)


@click.command("reconcile")
@click.option("--destination", metavar="ID", help="Only of this destination.")
@click.option("--workspace", metavar="ID", help="Only of this workspace's own destinations.")
@click.option("--since", type=When(), help="What was emitted from then on; the last 24 hours unless set.")
@click.option("--until", type=When(), help="What was emitted before then; until now unless set.")
@click.option("--grace", type=Age(), default="1h", show_default=True, help="For how long something may be owed.")
@json_option
def command(  # noqa: PLR0913  (each is one option)
    *, destination: str | None, workspace: str | None, since: int | None, until: int | None, grace: int, json_: bool
) -> None:
    """Count the log anew, hour by hour, against what was batched and delivered, and say what is owed and where it lies.

    Ends with 0 if everything is explained, with 1 if something is not, or is owed for longer than --grace.
    """
    now = time.time_ns() // 1_000_000
    window = Window(now - DAY_MS if since is None else since, now if until is None else min(until, now))
    if window.since >= window.until:
        raise click.UsageError("--since must be before --until, and before now.")
    settings = read(Destinations, os.environ)
    revisions = _revisions(settings.connection, destination, workspace)
    wanted = None if destination is None and workspace is None else frozenset(revisions)
    asked = Asked(window, list(revisions.values()), wanted)
    sealer = sealer_of(settings.sealing_keys)
    findings = Gatherer(settings.connection, asked, sealer, ReadingAloud()).findings()
    report = Report(findings=findings, revisions=revisions, now=now, grace=grace)
    if json_:
        click.echo(as_json(shape(report)))
    else:
        for table in tables(report):
            click.echo(render(table))
        for sentence in sentences(report):
            click.echo(sentence)
    if not report.clean:
        sys.exit(1)


def _revisions(connection: Connection, destination: str | None, workspace: str | None) -> dict[str, Revision]:
    """The destinations that are meant, deleted ones too; raises `UnknownDestination`, `NothingToReconcile`."""
    with Registry(connection) as registry:
        known = [registry.get(destination)] if destination is not None else registry.all()
    found = {each.destination: each for each in known if workspace in (None, each.workspace)}
    if workspace is not None and not found:
        raise NothingToReconcile(f"workspace {workspace!r} has no destination: see 'auditcast destinations list'")
    return found
