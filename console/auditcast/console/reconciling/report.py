"""What a reconciliation says: to people, and as JSON to scripts (docs/reconciling.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from rich.table import Table

from auditcast.console.ago import ago, span
from auditcast.console.moments import second_text
from auditcast.console.reconciling.counts import NUMBERS, Counts
from auditcast.console.reconciling.gathering import Findings
from auditcast.console.reconciling.owed import MISPLACED, REFUSED, UNBATCHED, UNREADABLE, Owed
from auditcast.console.showing import printable
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision

MOST_UNKNOWN = 20
"""Batches of which nothing is known that are named for people; JSON has all."""


class Report(Struct, frozen=True, kw_only=True):
    """Findings as of `now`; what is owed may be so for `grace` ms."""

    findings: Findings
    revisions: Mapping[str, Revision]
    now: int
    grace: int

    @property
    def late(self) -> list[Owed]:
        """What is owed for longer than that."""
        return [owed for owed in self.findings.owed if self.now - owed.oldest > self.grace]

    @property
    def total(self) -> Counts:
        """All destinations and hours together."""
        total = Counts()
        for counts in self.findings.table.values():
            total = total.plus(counts)
        return total

    @property
    def clean(self) -> bool:
        """Whether all is accounted for, and nothing is owed for too long."""
        return not (self.total.wrong or self.findings.faults or self.late)


def shape(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    findings = report.findings
    destinations: dict[str, list[dict[str, Any]]] = {}
    for (name, hour), counts in findings.table.items():
        destinations.setdefault(name, []).append({"hour": time_text(hour)} | _numbers(counts))
    return {
        "clean": report.clean,
        "since": time_text(findings.window.since),
        "until": time_text(findings.window.until),
        "limits": {topic: time_text(at) for topic, at in findings.limits.items()},
        "grace_seconds": report.grace // 1000,
        "total": _numbers(report.total),
        "destinations": [
            {
                "destination": name,
                "workspace": revision.workspace if (revision := report.revisions.get(name)) else None,
                "organization": revision.organization if revision else None,
                "hours": hours,
            }
            for name, hours in destinations.items()
        ],
        "owed": [_owed_shape(owed, report) for owed in findings.owed],
        "unexplained": [
            {
                "destination": each.destination,
                "stream": each.stream,
                "sequence": each.sequence,
                "first_event": each.span[0],
                "last_event": each.span[1],
            }
            for each in findings.unknown
        ],
        "faults": findings.faults,
    }


def tables(report: Report) -> Iterator[Table]:
    """The report for people: the hours, and where lies what is owed."""
    if report.findings.table:
        yield _hours(report)
    if report.findings.owed:
        yield _owings(report)


def sentences(report: Report) -> Iterator[str]:
    """What else there is to say, the verdict last."""
    findings, total = report.findings, report.total
    for topic, at in findings.limits.items():
        yield f"{topic} tells all only from {second_text(at)} on: what was before is left out."
    if not total.recounted:
        yield "* what was in force then is not known any more: what was batched counts as emitted."
    for fault in findings.faults:
        yield f"The chain is broken: {fault}."
    for each in findings.unknown[:MOST_UNKNOWN]:
        yield (
            f"Batch {each.sequence} of {each.stream}, events {each.span[0]} to {each.span[1]}: a deliverer has settled"
            f" it, and no delivery is on record; 'auditcast replay --destination {each.destination} --stream"
            f" {each.stream} --sequence {each.sequence}' sends it once more."
        )
    if len(findings.unknown) > MOST_UNKNOWN:
        yield f"So it is with {len(findings.unknown) - MOST_UNKNOWN:,} more batches."
    if total.missing:
        yield f"{_events(total.missing)} should be in batches and are in none."
    if total.surplus:
        yield f"{_events(total.surplus)} are in batches and not in the log."
    yield _verdict(report, total)


def _verdict(report: Report, total: Counts) -> str:
    owed, late = sum(each.events for each in report.findings.owed), sum(each.events for each in report.late)
    window = report.findings.window
    between = f"from {second_text(window.since)} to {second_text(window.until)}"
    wrong = total.wrong
    if wrong or report.findings.faults:
        said = f"NOT ALL IS EXPLAINED of the {_events(total.emitted)} emitted {between}: {_events(wrong)} are not"
    else:
        said = f"All is explained of the {_events(total.emitted)} emitted {between}"
    if not owed:
        return f"{said}; nothing is owed."
    for_long = f", {late:,} of them FOR LONGER THAN {span(report.grace)}" if late else ""
    return f"{said}; {_events(owed)} {'is' if owed == 1 else 'are'} owed{for_long}."


_COLUMNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Emitted", ("emitted",)),
    ("Not collected", ("disabled", "not_entitled")),
    ("Refused", ("refused",)),
    ("Not batched", ("unbatched",)),
    ("Batched", ("batched",)),
    ("Delivered", ("delivered",)),
    ("Under way", ("waiting", "retrying", "parked")),
    ("Dead letters", ("dead_lettered",)),
    ("Resolved", ("resolved",)),
    ("Expired", ("expired",)),
    ("Unexplained", ("missing", "surplus", "unexplained")),
)
_ALWAYS = ("Emitted", "Batched", "Delivered")


def _hours(report: Report) -> Table:
    """One line a destination and hour; columns in which there is nothing are left out."""
    total = report.total
    shown = [(title, names) for title, names in _COLUMNS if title in _ALWAYS or _sum(total, names)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Destination", no_wrap=True)
    table.add_column("Hour", no_wrap=True)
    for title, _ in shown:
        table.add_column(title, justify="right")
    before = ""
    for (name, hour), counts in report.findings.table.items():
        cells = [_cell(title, counts, names) for title, names in shown]
        table.add_row("" if name == before else printable(name), f"{time_text(hour)[:16].replace('T', ' ')}Z", *cells)
        before = name
    if len(report.findings.table) > 1:
        table.add_row("total", "", *(_cell(title, total, names) for title, names in shown), style="bold")
    return table


def _cell(title: str, counts: Counts, names: tuple[str, ...]) -> str:
    return f"{_sum(counts, names):,}" + ("*" if title == "Emitted" and not counts.recounted else "")


def _sum(counts: Counts, names: tuple[str, ...]) -> int:
    return sum(getattr(counts, name) for name in names)


def _owings(report: Report) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title="Owed", title_justify="left")
    table.add_column("Destination", no_wrap=True)
    table.add_column("Events", justify="right")
    for title in ("Oldest", "What", "Where"):
        table.add_column(title, overflow="fold")
    for owed in report.findings.owed:
        late = " (late)" if report.now - owed.oldest > report.grace else ""
        table.add_row(
            printable(owed.destination or "-"), f"{owed.events:,}", f"{ago(owed.oldest, report.now)}{late}",
            _what(owed), _where(owed),
        )  # fmt: skip
    return table


_WHAT = {
    UNBATCHED: "not batched yet",
    MISPLACED: "in a wrong partition, to be moved",
    REFUSED: "too large for it",
    UNREADABLE: "cannot be read",
}


def _what(owed: Owed) -> str:
    if owed.place in _WHAT:
        return _WHAT[owed.place]
    first, last = owed.first_sequence, owed.last_sequence
    batches = f"batch {first}" if first == last else f"batches {first} to {last}"
    return f"{batches} of {printable(owed.stream)}: {owed.place.replace('_', '-')}"


def _where(owed: Owed) -> str:
    if owed.key and owed.partition is None:
        return f"{owed.topic}, the first as {printable(owed.key)}"
    if owed.key and owed.first_offset == owed.last_offset:
        return f"{owed.topic}, as {printable(owed.key)}"
    first, last = owed.first_offset, owed.last_offset
    offsets = f"offset {first}" if first == last else f"offsets {first} to {last}"
    return f"{owed.topic}/{owed.partition}, {offsets}"


def _owed_shape(owed: Owed, report: Report) -> dict[str, Any]:
    return {
        "destination": owed.destination,
        "place": owed.place,
        "events": owed.events,
        "oldest": time_text(owed.oldest),
        "late": report.now - owed.oldest > report.grace,
        "stream": owed.stream or None,
        "first_sequence": owed.first_sequence or None,
        "last_sequence": owed.last_sequence or None,
        "topic": owed.topic,
        "partition": owed.partition,
        "first_offset": owed.first_offset,
        "last_offset": owed.last_offset,
        "key": owed.key or None,
    }


def _numbers(counts: Counts) -> dict[str, Any]:
    numbers = {name: getattr(counts, name) for name in NUMBERS}
    return numbers | {"owed": counts.owed, "recounted": counts.recounted}


def _events(number: int) -> str:
    return f"{number:,} event" if number == 1 else f"{number:,} events"
