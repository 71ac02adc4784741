"""What a person sees of an outage: a story in lines, and on a terminal a table below it that keeps changing."""

import time
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Self

from msgspec import Struct
from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from auditcast.console.demo.operator import Said
from auditcast.schemas.records import Attempted

EMAIL_LINES = 12
"""So much of an email is shown; the whole is in the mailbox."""

SHOW_EVERY_S = 0.25

_STYLES = {"active": "green", "failing": "red", "paused": "yellow"}


class Line(Struct, frozen=True):
    """How one destination fares; `late` are batches that were made and have not arrived, those parked among them."""

    name: str
    state: str
    events: int
    batches: int
    late: int
    parked: int
    dead: int


class Chronicle:
    """Use as `with`; `lines` gives the table's lines as they are by now, `delays_s` are those of the retries."""

    def __init__(self, console: Console, lines: Callable[[], list[Line]], delays_s: Sequence[float]) -> None:
        self._console = console
        self._follows = _FOLLOWS | {f"retry-{n}": f"again in {delay:g} s" for n, delay in enumerate(delays_s, 1)}
        self._lines = lines
        self._began = time.monotonic()
        self._shown = 0.0
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._live is not None:
            self._live.stop()

    def chapter(self, title: str, *sentences: str) -> None:
        """A new part of the story begins."""
        self._console.print()
        self._console.print(Rule(Text(title, "bold"), align="left", characters="─"))
        for sentence in sentences:
            self._console.print(Text(sentence, "dim"), soft_wrap=not self._console.is_terminal)

    def say(self, text: str, style: str = "") -> None:
        """Something happened."""
        stamp = Text(f"{time.monotonic() - self._began:5.1f} s  ", "dim")
        self._console.print(stamp.append(text, style or "default"), soft_wrap=not self._console.is_terminal)

    def attempt(self, attempted: Attempted) -> None:
        """A delivery was tried."""
        attempt = attempted.attempt
        delivered = attempted.fate == "delivered"
        answer = f"status {attempt.status}" if attempt.status is not None else attempt.error or "no answer"
        follows = self._follows.get(attempted.fate, attempted.fate)
        if attempted.replay:
            what = "sent again by the operator"
        elif attempted.fate == "parked":
            what = "as a probe"
        else:
            what = f"attempt {attempted.number}"
        self.say(f"batch {attempted.sequence}, {what}: {answer}, {follows}", "green" if delivered else "red")

    def email(self, email: EmailMessage) -> None:
        """An email has come."""
        body = email.get_body(("plain",))
        text = body.get_content().strip().splitlines() if body is not None else []
        shown = Text(f"To: {email['To']}\n").append(f"Subject: {email['Subject']}\n\n", "bold")
        shown.append("\n".join([line for line in text if line.strip("= ")][:EMAIL_LINES]))
        self._console.print(Panel(shown.append("\n…"), title="an email", title_align="left", border_style="cyan"))

    def command(self, said: Said) -> None:
        """An operator ran a command."""
        self._console.print(Text("$ " + said.command, "bold"), soft_wrap=True)
        self._console.print(Text(said.output.rstrip()), soft_wrap=True)

    def refresh(self) -> None:
        """Show the table as it is now; cheap to call often."""
        now = time.monotonic()
        if self._live is not None and now - self._shown >= SHOW_EVERY_S:
            self._shown = now
            self._live.update(table(self._lines()), refresh=True)

    def snapshot(self) -> None:
        """Leave the table, as it is now, among the lines."""
        self._console.print(table(self._lines()))


_FOLLOWS = {
    "delivered": "delivered",
    "dead-letter": "given up: a dead letter",
    "parked": "stays parked",
    "split": "it is split",
    "partly": "it is taken partly",
}


def table(lines: list[Line]) -> RenderableType:
    """The destinations, one a line."""
    found = Table(box=None, pad_edge=False)
    found.add_column("destination", no_wrap=True)
    found.add_column("state", no_wrap=True)
    for title in ("events", "batches", "under way", "parked", "dead letters"):
        found.add_column(title, justify="right", no_wrap=True)
    for line in lines:
        numbers = (line.events, line.batches, line.late, line.parked, line.dead)
        found.add_row(line.name, Text(line.state, _STYLES.get(line.state, "")), *(f"{number:,}" for number in numbers))
    return found
