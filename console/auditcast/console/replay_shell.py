"""What the two commands that send again share: asking first, the bar while it lasts, the report at the end."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from auditcast.console import replay_report
from auditcast.console.amounts import SECONDS, Amount
from auditcast.console.appends import Appends
from auditcast.console.interrupts import Interrupts
from auditcast.console.replay_report import Report
from auditcast.console.replaying import Run
from auditcast.console.sending import Ending, Errand, Limits, Sender
from auditcast.console.showing import as_json
from auditcast.console.statuses import statuses
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError

STOPPING = "Stopping: what is under way is waited for; Ctrl-C again leaves at once, and loses nothing."
MOST_RATE = 1_000_000
INTERRUPTED = 130


class Silence(AuditcastError):
    """No deliverer told of anything."""


def replay_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every replay but what is replayed."""
    for option in (
        click.option(
            "--timeout", type=SECONDS, default=60.0, show_default=True,
            metavar="SECONDS", help="How long to wait while no deliverer tells of anything.",
        ),
        click.option(
            "--rate", type=Amount(0, MOST_RATE), metavar="N", help="Send at most N a second."
        ),
        click.option("--dry-run", is_flag=True, help="Only say what would be sent."),
    ):  # fmt: skip
        command = option(command)
    return command


def confirm(question: str, *, yes: bool) -> None:
    """Return if the person agrees."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("Nobody can be asked here: look with --dry-run, then repeat it with --yes.")
    click.confirm(question, abort=True, err=True)


def send(connection: Connection, run: Run, errand: Errand, interrupts: Interrupts, limits: Limits) -> Ending:
    """Send a run's items, showing how far it is."""
    sender = Sender(Appends(connection), Topics(connection.topic_prefix).batches, limits)
    total = sum(course.total for course in run.courses.values())
    with bar(total) as show:
        return sender.send(run, errand, interrupts, lambda now: show(_done(now), _told(now)))


@contextmanager
def bar(total: int) -> Iterator[Callable[[int, str], None]]:
    """Gives what shows how many are done, and a word on them: a bar, if standard error is a terminal."""
    if not (sys.stderr.isatty() and total):
        yield lambda done, told: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done, told: progress.update(task, completed=done, description=told)


def end(connection: Connection, report: Report, *, timeout: float, json_: bool) -> None:
    """Print the report; ends the command with the code that it deserves."""
    if json_:
        click.echo(as_json(replay_report.shape(report)))
    else:
        for sentence in replay_report.sentences(report):
            click.echo(sentence)
    if report.ending is Ending.SILENT:
        raise Silence(_silence(connection, report.run, timeout))
    if report.ending is Ending.INTERRUPTED:
        sys.exit(INTERRUPTED)
    if not report.complete:
        sys.exit(1)


def _silence(connection: Connection, run: Run, timeout: float) -> str:
    """Why nothing may have been heard."""
    unheard = [destination for destination, course in run.courses.items() if course.flying]
    known = statuses(connection)
    held_up = [each for each in unheard if each in known and (known[each].parked or known[each].open)]
    if held_up and len(held_up) == len(unheard):
        return (
            f"nothing was heard of for {timeout:g} s, since batches of {', '.join(held_up)} are parked: what was sent"
            " waits behind them, and goes out when they do"
        )
    return (
        f"no deliverer told of anything for {timeout:g} s: see whether 'auditcast deliverer' runs;"
        f" what is under way ({run.flying:,}) goes out when one does, and nothing is lost"
    )


def _done(run: Run) -> int:
    return sum(course.total - course.left for course in run.courses.values())


def _told(run: Run) -> str:
    failed = sum(course.failed for course in run.courses.values())
    return f"{failed:,} failed" if failed else ""
