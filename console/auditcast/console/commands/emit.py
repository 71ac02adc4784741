"""`auditcast emit`: events from a file of JSON lines, so that any service, in any language, can be tried."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from auditcast.console.amounts import Amount
from auditcast.console.event_lines import emit_line, lines
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, read
from auditcast.producers import AuditLog, DeliveryFailure
from auditcast.producers.settings import Settings
from auditcast.schemas.errors import AuditcastError, Misconfigured, Refused

_STEP_S = 0.2
_CLOSE_S = 1.0
_SHOW_EVERY = 500


class EmitFailed(AuditcastError):
    """Not every event is in the log."""


class _Run:
    """One run of the command, and what became of its lines so far."""

    def __init__(self, *, keep_going: bool, ids: bool, timeout: float) -> None:
        self._keep_going = keep_going
        self._ids = ids
        self._timeout = timeout
        self._emitted = 0
        self._bad: list[str] = []
        self._failures: list[DeliveryFailure] = []
        self._log = AuditLog.from_env(
            os.environ, on_failure=self._failures.append, max_block=timeout, close_timeout=_CLOSE_S
        )

    def emit(self, stream: IO[bytes]) -> None:
        """Emit every line, wait for the broker, say what was done; raises `EmitFailed` unless that was all."""
        stopped = None
        with self._log:
            try:
                self._emit_lines(stream)
            except AuditcastError as error:
                stopped = str(error)
            self._await_durable()
        self._report(stopped)

    def _emit_lines(self, stream: IO[bytes]) -> None:
        with _progress(stream) as show:
            for number, line in lines(stream):
                try:
                    event = emit_line(self._log, line)
                except Refused as refused:
                    self._bad.append(f"line {number}: {refused}")
                    if not self._keep_going:
                        return
                    continue
                self._emitted += 1
                if self._ids:
                    click.echo(event)
                if number % _SHOW_EVERY == 0:
                    show(self._emitted)

    def _await_durable(self) -> None:
        """Wait as long as the broker acknowledges anything within the timeout."""
        left = self._log.pending
        deadline = time.monotonic() + self._timeout
        while left and time.monotonic() < deadline:
            now_left = self._log.flush(_STEP_S)
            if now_left < left:
                deadline = time.monotonic() + self._timeout
            left = now_left

    def _report(self, stopped: str | None) -> None:
        lost = len(self._failures)
        problems = [stopped] if stopped else []
        before = " before it" if stopped or (self._bad and not self._keep_going) else ""
        if self._keep_going and self._bad:
            for sentence in self._bad:
                click.echo(sentence, err=True)
            problems.append(f"{_count(len(self._bad), 'bad line')} left out")
        elif self._bad:
            problems.append(self._bad[0])
        if lost:
            problems.append(f"{_count(lost, 'event')} not known to be durable: {self._failures[0].reason}")
        summary = f"{_count(self._emitted - lost, 'event')} emitted"
        if problems:
            raise EmitFailed(f"{'; '.join(problems)} ({summary}{before})")
        click.echo(summary, err=True)


@click.command("emit")
@click.argument("file", default="-")
@click.option("--keep-going", is_flag=True, help="Go on after a bad line, and report all of them at the end.")
@click.option("--ids", is_flag=True, help="Print the id of each event on standard output.")
@click.option(
    "--timeout", type=Amount(0.1, 3600), default=10.0, show_default=True,
    help="Seconds to wait for a broker that takes nothing.",
)  # fmt: skip
def command(*, file: str, keep_going: bool, ids: bool, timeout: float) -> None:
    """Emit events from FILE (or - for standard input), one JSON object on each line.

    A line is either an event in plain form,

    {"workspace": "ws_1", "category": "workspace", "action": "created", "actor": {"id": "usr_1", "type": "user"}}

    with target, organization, description, outcome, metadata, ip, user_agent, occurred_at and id if there are any, or
    a CloudEvent in JSON. Stops at the first bad line unless told to keep going.
    """
    with _opened(file) as stream:
        _check_broker(read(Settings, os.environ).connection, timeout)
        _Run(keep_going=keep_going, ids=ids, timeout=timeout).emit(stream)


def _check_broker(connection: Connection, timeout: float) -> None:
    """Raise, before anything is emitted, if no broker answers or the topic is not there."""
    topic = Topics(connection.topic_prefix).events
    if topic not in clients.Admin(connection).metadata(min(timeout, clients.ANSWER_S)).topics:
        raise Misconfigured(f"there is no topic {topic}: make it with 'auditcast topics create'")


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = Path(file).open("rb")  # noqa: SIM115  (closed below; only opening is guarded)
    except OSError as error:
        raise Misconfigured(f"{file} cannot be read: {error.strerror}") from None
    with stream:
        yield stream


@contextmanager
def _progress(stream: IO[bytes]) -> Iterator[Callable[[int], None]]:
    """Gives what shows how many events were emitted: a bar, if standard error is a terminal and the size is known."""
    if not (sys.stderr.isatty() and stream.seekable()):
        yield lambda emitted: None
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=os.fstat(stream.fileno()).st_size)
        yield lambda emitted: bar.update(task, completed=stream.tell(), description=f"{emitted} emitted")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
