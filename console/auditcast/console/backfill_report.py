"""What a backfill has done, or would do: as sentences for people and as JSON for scripts (docs/backfilling.md)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from auditcast.console.in_force import partition_in
from auditcast.console.moments import second_text
from auditcast.console.refilling import Done
from auditcast.schemas.attributes import time_text


class Report(Struct, frozen=True, kw_only=True):
    """All that was done for one destination; `unknown_before` in ms: see periods.py."""

    destination: str
    since: int
    dry_run: bool
    unknown_before: int | None
    done: Sequence[Done]

    @property
    def refused(self) -> Counter[str]:
        """Records that can be in no batch, by reason."""
        return sum((each.refused for each in self.done), Counter[str]())


def shape(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    unknown = report.unknown_before
    return {
        "destination": report.destination,
        "dry_run": report.dry_run,
        "since": time_text(report.since),
        "events": sum(each.events for each in report.done),
        "batches": sum(each.batches for each in report.done),
        "refused": dict(report.refused),
        "expired": sum(each.expired for each in report.done),
        "unknown_before": None if unknown is None else time_text(unknown),
        "streams": [
            {
                "stream": each.backfill.stream,
                "partition": partition_in(each.backfill.stream),
                "first_offset": each.backfill.first,
                "end_offset": each.backfill.end,
                "resumed": each.resumed,
                "events": each.events,
                "batches": each.batches,
            }
            for each in report.done
        ],
    }


def sentences(report: Report) -> list[str]:
    """The report in lines."""
    events, batches = (sum(getattr(each, name) for each in report.done) for name in ("events", "batches"))
    fate = "would be appended" if report.dry_run else "are appended, and the deliverers send them"
    lines = [f"{report.destination}: {_count(events, 'event')} in {_count(batches, 'batch', 'es')} {fate}."]
    if not events:
        lines = [f"{report.destination} has missed nothing since {second_text(report.since)} that the log still holds."]
    if any(each.resumed for each in report.done):
        lines.append("An earlier backfill was interrupted; this goes on where that was.")
    if report.refused:
        kinds = ", ".join(f"{number} {reason}" for reason, number in sorted(report.refused.items()))
        lines.append(f"{_count(report.refused.total(), 'record')} can be in no batch: {kinds}.")
    expired = sum(each.expired for each in report.done)
    if expired:
        lines.append(f"{_count(expired, 'record')} of the log expired before they could be read.")
    if report.unknown_before is not None:
        lines.append(
            f"What it missed before {second_text(report.unknown_before)}, if anything, is left out:"
            " what was in force then is not known any more."
        )
    return lines


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{plural}"
