"""How a demo ended, for a person. No clock, no I/O."""

from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from auditcast.console.demo.show import Outcome


def summary(outcome: Outcome, names: Mapping[str, str], seed: int) -> RenderableType:
    """What was to arrive and what did, by destination, and the verdict."""
    table = Table(box=None, pad_edge=False)
    table.add_column("destination")
    for title in ("events", "delivered", "missing", "unexpected", "altered"):
        table.add_column(title, justify="right")
    for row in outcome.rows:
        wrong = row.at_receiver
        table.add_row(
            names.get(row.destination, row.destination),
            *(f"{n:,}" for n in (row.expected, row.delivered, wrong.missing, wrong.unexpected, wrong.altered)),
        )
    totals = outcome.totals
    killed = f", {outcome.kills} workers killed" if outcome.kills else ""
    said = f"{totals.emitted:,} events emitted, {totals.delivered:,} deliveries, {totals.seconds:.0f} s in all{killed}"
    if outcome.problems:
        verdict = Text("\n".join(outcome.problems), "red")
    else:
        verdict = Text("Every event arrived at every destination: signed, in its place, exactly as chained.", "green")
    return Group("", table, "", f"{said} (seed {seed})", verdict)
