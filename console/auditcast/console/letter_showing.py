"""How dead letters are shown: to people, and as JSON to scripts (shapes: docs/replaying.md).

Of a record's headers only the names are ever among it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from rich.table import Table

from auditcast.console.ago import ago
from auditcast.console.letters import Group, Letter
from auditcast.console.replay_plan import Plan
from auditcast.console.replaying import Item
from auditcast.console.showing import printable
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision

RevisionOf = Callable[[str], Revision | None]

LEAST = {"For": len("organization"), "Reasons": len("status-503")}
"""Widths that keep words whole on a narrow terminal."""

UNREADABLE = "(unreadable records)"
"""Stands for the destination of what nobody could read."""


def letter_shape(letter: Letter, revision: Revision | None) -> dict[str, Any]:
    """A letter as JSON has it; numbers of a batch are null where there is none, and for a manifest."""
    numbered = letter.sequence > 0
    return {
        "key": letter.key,
        "destination": letter.destination,
        "workspace": _workspace(letter, revision),
        "reason": letter.reason,
        "detail": letter.detail,
        "at": time_text(letter.at),
        "batch": letter.batch or None,
        "stream": letter.stream or None,
        "sequence": letter.sequence if numbered else None,
        "first_event": letter.first_event if numbered else None,
        "last_event": letter.last_event if numbered else None,
        "events": letter.events,
        "attempts": letter.attempts,
        "last_attempt": letter.last or None,
        "replay": letter.replay or None,
        "topic": letter.topic,
        "partition": letter.source_partition,
        "offset": letter.source_offset,
        "bytes": letter.size,
    }


def group_shape(group: Group, revision: Revision | None) -> dict[str, Any]:
    """A group as JSON has it; `destination` is null for unreadable records."""
    return {
        "destination": group.destination,
        "workspace": revision.workspace if revision else None,
        "organization": revision.organization if revision else None,
        "letters": group.letters,
        "events": group.events,
        "oldest": time_text(group.oldest),
        "newest": time_text(group.newest),
        "reasons": group.reasons,
    }


def plan_shape(plan: Plan) -> dict[str, Any]:
    """A replay that has not begun, as JSON has it."""
    by_destination: dict[str, list[Item]] = {}
    for item in plan.items:
        by_destination.setdefault(item.destination, []).append(item)
    return {
        "dry_run": True,
        "destinations": [
            {"destination": destination, "letters": len(own), "events": sum(item.events for item in own)}
            for destination, own in by_destination.items()
        ],
        "append_again": len(plan.again),
        "refused": [{"why": why, "count": len(letters)} for why, letters in plan.refused.items()],
    }


def groups_table(groups: Iterable[Group], revision_of: RevisionOf, now: int) -> Table:
    """One line a destination, at `now` in ms."""
    lines = _lines("Destination", "For", ("Letters",), ("Events",), "Oldest", "Newest", "Reasons")
    for group in groups:
        revision = revision_of(group.destination) if group.destination is not None else None
        lines.add_row(
            UNREADABLE if group.destination is None else printable(group.destination),
            _scope(group.destination, revision),
            f"{group.letters:,}",
            f"{group.events:,}",
            ago(group.oldest, now),
            ago(group.newest, now),
            "\n".join(f"{printable(name)} ({number:,})" for name, number in group.reasons.items()),
        )
    return lines


def letters_table(letters: Iterable[Letter], now: int) -> Table:
    """One line a letter."""
    lines = _lines("Key", ("Events",), ("Attempts",), "Failed", "Reason")
    for letter in letters:
        lines.add_row(
            printable(letter.key), f"{letter.events:,}", str(letter.attempts), ago(letter.at, now),
            printable(letter.reason),
        )  # fmt: skip
    return lines


def count(number: int, one: str, more: str | None = None) -> str:
    """`number` with its noun."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def _lines(first: str, *titles: str | tuple[str]) -> Table:
    """A table whose first column is never folded; a title in brackets is that of a column of numbers."""
    lines = Table(box=None, header_style="bold", pad_edge=False)
    lines.add_column(first, no_wrap=True)
    for title in titles:
        if isinstance(title, tuple):
            lines.add_column(title[0], justify="right")
        else:
            lines.add_column(title, overflow="fold", min_width=LEAST.get(title))
    return lines


def _workspace(letter: Letter, revision: Revision | None) -> str | None:
    if letter.destination is None:
        return letter.sender or None
    return revision.workspace if revision else None


def _scope(destination: str | None, revision: Revision | None) -> str:
    if destination is None:
        return "-"
    if revision is None:
        return "?"
    if revision.workspace is not None:
        return f"workspace {printable(revision.workspace)}"
    return f"organization {printable(revision.organization or '?')}"
