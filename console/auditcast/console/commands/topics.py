"""`auditcast topics`: make the pipeline's topics, and prove that they are as the pipeline needs them."""

import json
import os
import sys

import click
import msgspec
from msgspec import Struct

from auditcast.kafka import topics
from auditcast.kafka.differences import Difference
from auditcast.kafka.settings import Connection, Timestamps, read


class Settings(Struct, frozen=True, kw_only=True):
    """What the topics' commands need to know."""

    connection: Connection
    timestamps: Timestamps = "broker"


@click.group()
def command() -> None:
    """Make the pipeline's topics, or check them."""


@command.command()
@click.option(
    "--partitions", type=click.IntRange(1, 10_000), help="Of every topic; can never be changed. [default: 12]"
)
@click.option("--replication", type=click.IntRange(1, 10), help="Copies of each record. [default: 3, or all brokers]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def create(partitions: int | None, replication: int | None, as_json: bool) -> None:  # noqa: FBT001  (click's flag)
    """Make the topics that are missing, then check all of them. Doing it again does no harm."""
    settings = read(Settings, os.environ)
    made = topics.create(settings.connection, partitions, replication)
    if not as_json:
        for name in made:
            click.echo(f"made {name}")
    _report(settings, made, as_json=as_json)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(as_json: bool) -> None:  # noqa: FBT001  (click's flag)
    """Say what differs from what the pipeline needs, and how to mend it; exit code 1 if anything does."""
    _report(read(Settings, os.environ), None, as_json=as_json)


def _report(settings: Settings, made: list[str] | None, *, as_json: bool) -> None:
    found = topics.check(settings.connection, settings.timestamps)
    wrong = [difference for difference in found if not difference.warning]
    if as_json:
        answer: dict[str, object] = {"ok": not wrong, "differences": msgspec.to_builtins(found)}
        click.echo(json.dumps(answer if made is None else {"made": made, **answer}))
    else:
        _tell(settings, found, all_well=not wrong)
    if wrong:
        sys.exit(1)


def _tell(settings: Settings, found: list[Difference], *, all_well: bool) -> None:
    for difference in found:
        click.echo(f"{'warning' if difference.warning else 'wrong'}: {difference}", err=True)
    if all_well:
        count = topics.partitions(settings.connection)
        click.echo(f"the topics are as they must be, {count} partitions each")
