"""How a demo ended, for a person. No clock, no I/O."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from auditcast.console.demo import outage
from auditcast.console.demo.account import Row
from auditcast.console.demo.show import Outcome


def summary(outcome: Outcome, names: Mapping[str, str], seed: int) -> RenderableType:
    """What was to arrive and what did, by destination, and the verdict."""
    totals = outcome.totals
    killed = f", {outcome.kills} workers killed" if outcome.kills else ""
    said = f"{totals.emitted:,} events emitted, {totals.delivered:,} deliveries, {totals.seconds:.0f} s in all{killed}"
    verdict = "Every event arrived at every destination: signed, in its place, exactly as chained."
    return Group(
        "", _table(outcome.rows, names), "", Text(f"{said} (seed {seed})"), _verdict(outcome.problems, verdict)
    )


def outage_summary(outcome: outage.Outcome, mailbox: Path) -> RenderableType:
    """The same of an outage."""
    lines = [
        f"{outcome.emitted:,} events were emitted. One receiver was down for {outcome.lasted:.0f} s:"
        f" {_count(outcome.retries, 'retry', 'retries')}, {_count(outcome.letters, 'dead letter', 'dead letters')},"
        f" {_count(outcome.emails, 'email', 'emails')}.",
        f"Meanwhile no other destination waited for a delivery longer than {outcome.others_waited:.1f} s"
        " (events are collected for up to 2 s).",
        f"The emails are in {mailbox}.",
    ]
    verdict = "Nothing is owed any more: every event arrived everywhere, and every chain is complete."
    return Group("", _table(outcome.rows, outcome.names), "", *map(Text, lines), _verdict(outcome.problems, verdict))


def _table(rows: Sequence[Row], names: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("destination", no_wrap=True)
    for title in ("events", "delivered", "missing", "unexpected", "altered"):
        table.add_column(title, justify="right")
    for row in rows:
        wrong = row.at_receiver
        table.add_row(
            names.get(row.destination, row.destination),
            *(f"{n:,}" for n in (row.expected, row.delivered, wrong.missing, wrong.unexpected, wrong.altered)),
        )
    return table


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _verdict(problems: Sequence[str], otherwise: str) -> Text:
    return Text("\n".join(problems), "red") if problems else Text(otherwise, "green")
