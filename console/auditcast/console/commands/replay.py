"""`auditcast replay`: what was delivered already, sent again, for a customer who lost it."""

import os
import secrets

import click

from auditcast.console import kept, replay_shell
from auditcast.console.interrupts import interruptible
from auditcast.console.kept import Found
from auditcast.console.letter_options import Numbers, When
from auditcast.console.letter_showing import count
from auditcast.console.options import json_option
from auditcast.console.range_errand import RangeErrand, item_of
from auditcast.console.ranges import Range, missing, only_one
from auditcast.console.registry import Registry
from auditcast.console.replay_plan import refusal
from auditcast.console.replay_report import Report
from auditcast.console.replaying import Run
from auditcast.console.sending import Ending, Limits
from auditcast.console.showing import as_json
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection, read
from auditcast.kafka.topics import partitions
from auditcast.schemas.errors import AuditcastError

BATCHES = ("batch", "batches")


class NotReplayable(AuditcastError):
    """Nothing can be sent to the destination as things are, or there is nothing."""


@click.command("replay")
@click.option("--destination", required=True, metavar="ID", help="Whom to send to.")
@click.option("--from", "since", type=When(), help="Batches opened from then on: 2025-01-15T10:30Z, or an age: 2h, 3d.")
@click.option("--to", "until", type=When(), help="Batches opened before then.")
@click.option("--sequence", type=Numbers(), help="Batches with these numbers.")
@click.option("--stream", metavar="NAME", help="Only batches of this stream.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@replay_shell.replay_options
@json_option
def command(  # noqa: PLR0913  (its options)
    *, destination: str, since: int | None, until: int | None, sequence: tuple[int, int] | None, stream: str | None,
    yes: bool, dry_run: bool, rate: float | None, timeout: float, json_: bool,
) -> None:  # fmt: skip
    """Send again what was delivered already: the same bytes under the same ids, marked as a replay.

    Say which batches either by time, --from and --to, or by --sequence. They are kept for 7 days.
    """
    if (since is None and until is None) == (sequence is None):
        raise click.UsageError("Say which batches: either --from and --to, or --sequence.")
    wanted = Range(destination=destination, stream=stream, sequence=sequence, since=since, until=until)
    connection = read(Connection, os.environ)
    with Registry(connection) as registry:
        why = refusal(destination, registry.get(destination))
    if why:
        raise NotReplayable(why)
    found = kept.find(connection, wanted)
    only_one(wanted, found.spans)
    absent = list(missing(wanted, found.spans, found.batches))
    if not json_:
        for sentence in absent:
            click.echo(f"auditcast: {sentence}", err=True)
    if not found.batches:
        raise NotReplayable(f"there is nothing to send: {'; '.join(absent) or 'no batch was opened in this time'}")
    if dry_run:
        click.echo(as_json(_shape(found, absent)) if json_ else f"{_sum(found)} would be sent again to {destination}.")
        return
    replay_shell.confirm(f"Send {_sum(found)} to {destination} again?", yes=yes)
    run, ending = _replay(connection, destination, found, Limits(rate=rate, patience_s=timeout))
    report = Report(run=run, ending=ending, noun=BATCHES, missing=absent)
    replay_shell.end(connection, report, timeout=timeout, json_=json_)


def _replay(connection: Connection, destination: str, found: Found, limits: Limits) -> tuple[Run, Ending]:
    run = Run(f"rpl_{secrets.token_hex(6)}", [item_of(destination, batch) for batch in found.batches])
    partition = partition_of(destination, partitions(connection))
    with RangeErrand(connection, partition) as errand, interruptible(replay_shell.STOPPING) as interrupts:
        ending = replay_shell.send(connection, run, errand, interrupts, limits)
    return run, ending


def _sum(found: Found) -> str:
    """What would be sent, by streams."""
    numbers = []
    for stream in sorted({batch.stream for batch in found.batches}):
        own = [batch.sequence for batch in found.batches if batch.stream == stream]
        numbers.append(f"{stream} {own[0]} to {own[-1]}" if len(own) > 1 else f"{stream} {own[0]}")
    events = count(sum(batch.events for batch in found.batches), "event")
    return f"{count(len(found.batches), *BATCHES)} ({events}: {', '.join(numbers)})"


def _shape(found: Found, absent: list[str]) -> dict[str, object]:
    """A replay that has not begun, as JSON has it."""
    return {
        "dry_run": True,
        "batches": [
            {"id": batch.id, "stream": batch.stream, "sequence": batch.sequence, "events": batch.events}
            for batch in found.batches
        ],
        "missing": absent,
    }
