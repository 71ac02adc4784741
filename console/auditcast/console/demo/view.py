"""What a person sees while the demo runs: a live table on a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from typing import Self

from msgspec import Struct
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from auditcast.console.demo.account import Account
from auditcast.console.demo.workers import State, Worker

PLAIN_EVERY_S = 2.0
_STYLES = {State.RUNNING: "green", State.PAUSED: "yellow", State.ENDING: "red", State.ENDED: "dim"}


class Totals(Struct, frozen=True):
    """The headline: events emitted; deliveries (an event counts once for each destination) by where they are."""

    emitted: int
    expected: int
    in_windows: int
    in_batches: int
    delivered: int
    missing: int
    seconds: float
    rate: float


def totals(account: Account, *, emitted: int, seconds: float, rate: float) -> Totals:
    """The headline as of now, `seconds` after the start, with `rate` events emitted a second."""
    expected, batched, delivered = account.expectation.deliveries, account.batched, account.delivered
    return Totals(
        emitted=emitted,
        expected=expected,
        # The three sources are read one after the other: one may know of a batch a moment before the next.
        in_windows=max(0, expected - batched),
        in_batches=max(0, batched - delivered),
        delivered=delivered,
        missing=sum(ledger.missing for ledger in account.ledgers.values()),
        seconds=seconds,
        rate=rate,
    )


class View:
    """Shows totals again and again. `names`, by id, are what people call the destinations. Use as `with`."""

    def __init__(self, console: Console, account: Account, workers: Sequence[Worker]) -> None:
        self.names: dict[str, str] = {}
        self._console = console
        self._account = account
        self._workers = workers
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._said = -PLAIN_EVERY_S

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, now: Totals) -> None:
        """The newest state."""
        if self._live is not None:
            self._live.update(Group(headline(now), self._destinations(), self._processes()), refresh=True)
        elif now.seconds - self._said >= PLAIN_EVERY_S:
            self._said = now.seconds
            self.say(headline(now).plain)

    def say(self, line: str) -> None:
        """A line that stays."""
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _destinations(self) -> RenderableType:
        table = Table(box=None, pad_edge=False)
        for title in ("destination", "events", "batches", "missing", "repeated", "wrong"):
            table.add_column(title, justify="left" if title == "destination" else "right")
        for destination, ledger in self._account.ledgers.items():
            wrong = ledger.wrong.total()
            table.add_row(
                self.names.get(destination, destination),
                f"{ledger.events:,}",
                f"{ledger.batches:,}",
                Text(str(ledger.missing), style="red" if ledger.missing else "green"),
                f"{ledger.duplicates:,}",
                Text(str(wrong), style="red" if wrong else "green"),
            )
        return table

    def _processes(self) -> RenderableType:
        line = Text()
        for worker in [one for one in self._workers if one.state is not State.ENDED]:
            line.append(f"{worker.name} ", "dim").append(f"{worker.pid} ").append(
                f"{worker.state}   ", _STYLES[worker.state]
            )
        ended = sum(worker.state is State.ENDED for worker in self._workers)
        return line.append(f"{ended} ended", "dim") if ended else line


def headline(now: Totals) -> Text:
    """Where everything is, in one line."""
    return Text.assemble(
        f"{now.seconds:4.0f} s  emitted ",
        (f"{now.emitted:,}", "bold"),
        f" ({now.rate:,.0f}/s)  to deliver {now.expected:,}: in windows {now.in_windows:,},"
        f" in batches {now.in_batches:,}, delivered ",
        (f"{now.delivered:,}", "bold"),
        ", missing ",
        (str(now.missing), "bold red" if now.missing else "bold green"),
    )
