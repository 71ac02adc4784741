"""How destinations and test results are shown: to people, and as JSON to scripts (shapes: docs/destinations.md).

Neither a secret nor a header's value is ever among it; headers are shown by their names.
"""

import json
from collections.abc import Iterable
from typing import Any

from rich.table import Table

from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision, TestResult


def as_json(value: Any) -> str:
    """JSON for scripts; everything beyond ASCII is escaped, so that no answer can play tricks on a terminal."""
    return json.dumps(value, indent=2)


def destination_shape(revision: Revision) -> dict[str, Any]:
    """A destination as JSON has it."""
    return {
        "id": revision.destination,
        "state": revision.state,
        "paused": revision.paused,
        "because": revision.because,
        "number": revision.number,
        "changed_at": time_text(revision.changed_at),
        "workspace": revision.workspace,
        "organization": revision.organization,
        "description": revision.description,
        "url": revision.url,
        "headers": [header.name for header in revision.headers],
        "alert_to": revision.alert_to,
        "format": revision.format,
        "window_events": revision.window_events,
        "window_seconds": revision.window_ms // 1000,
        "base_url": revision.base_url,
        "type_prefix": revision.type_prefix,
    }


def result_shape(result: TestResult) -> dict[str, Any]:
    """A test delivery as JSON has it; `error` and `detail` say why nothing, or no success, was answered."""
    return {
        "delivered": result.delivered,
        "status": result.attempt.status,
        "latency_ms": result.attempt.latency_ms,
        "error": result.attempt.error,
        "detail": result.attempt.detail,
        "answer": result.attempt.answer,
        "batch": result.batch,
        "destination": result.destination,
    }


def table(revisions: Iterable[Revision]) -> Table:
    """One line a destination."""
    lines = Table(box=None, header_style="bold", pad_edge=False)
    lines.add_column("Id", no_wrap=True)
    for title in ("State", "For", "Description", "URL", "Headers", "Window", "Changed"):
        lines.add_column(title, overflow="fold")
    for revision in revisions:
        lines.add_row(
            revision.destination,
            revision.state,
            _scope(revision),
            printable(revision.description),
            printable(revision.url),
            _names(revision),
            _window(revision),
            time_text(revision.changed_at),
        )
    return lines


def card(revision: Revision) -> Table:
    """One destination, a line a setting."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for title, value in {
        "Id": revision.destination,
        "State": revision.state,
        "For": _scope(revision),
        "Description": printable(revision.description) or "-",
        "URL": printable(revision.url),
        "Headers": _names(revision),
        "Format": revision.format,
        "Window": _window(revision),
        "Base URL": printable(revision.base_url),
        "Type prefix": printable(revision.type_prefix),
        "Revision": f"{revision.number}, written {time_text(revision.changed_at)}",
    }.items():
        lines.add_row(title, value)
    return lines


def outcome(result: TestResult) -> str:
    """A test delivery in some lines."""
    attempt = result.attempt
    verdict = "delivered" if result.delivered else "not delivered"
    status = f"status {attempt.status}" if attempt.status is not None else "no answer"
    lines = [f"{result.destination}: {verdict}, {status}, {attempt.latency_ms} ms"]
    if attempt.error or attempt.detail:
        lines.append(printable(": ".join(part for part in (attempt.error, attempt.detail) if part)))
    if attempt.answer:
        lines += ["The answer begins:", *(f"  {printable(line)}" for line in attempt.answer.splitlines())]
    return "\n".join(lines)


def printable(text: str) -> str:
    """`text` with every control, format and other invisible character as its escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _scope(revision: Revision) -> str:
    if revision.workspace is not None:
        return f"workspace {printable(revision.workspace)}"
    return f"organization {printable(revision.organization or '?')}"


def _names(revision: Revision) -> str:
    return ", ".join(printable(header.name) for header in revision.headers) or "-"


def _window(revision: Revision) -> str:
    events = "event" if revision.window_events == 1 else "events"
    return f"{revision.window_events} {events} or {revision.window_ms // 1000} s"
