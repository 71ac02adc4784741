"""How destinations and test results are shown: to people, and as JSON to scripts (shapes: docs/destinations.md).

Neither a secret nor a header's value is ever among it; headers are shown by their names, sealed URLs by their origin.
"""

import json
from typing import Any

from auditcast.console.diagnosis import advice
from auditcast.console.statuses import LeftOut, state_of
from auditcast.schemas.attributes import time_text
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Attempt, Revision, Status, TestResult


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
        "secret_url": bool(revision.sealed_url),
        "headers": [header.name for header in revision.headers],
        "alert_to": revision.alert_to,
        "format": revision.format,
        "options": options_shape(revision),
        "window_events": revision.window_events,
        "window_seconds": revision.window_ms // 1000,
        "categories": revision.categories,
        "actions": revision.actions,
        "outcome": revision.outcome or None,
        "dropped": revision.dropped,
        "hashed": revision.hashed,
        "gzip": revision.gzip,
        "ed25519": revision.asymmetric,
        "handshake": revision.handshake,
        "manifests": revision.manifests,
        "rotation_ends": _time(revision.rotation_ends) if revision.next_secret else None,
        "entitled": revision.entitled,
        "base_url": revision.base_url,
        "type_prefix": revision.type_prefix,
    }


def options_shape(revision: Revision) -> dict[str, str]:
    """The format's options by name, also those that are at their defaults, if the format is known here."""
    form = FORMATS.get(revision.format)
    defaults = {option.name: option.default for option in form.options} if form else {}
    return defaults | {option.name: option.value for option in revision.options}


def result_shape(result: TestResult, revision: Revision) -> dict[str, Any]:
    """A test delivery as JSON has it; `error` and `detail` say why nothing, or no success, was answered."""
    return {
        "delivered": result.delivered,
        "status": result.attempt.status,
        "latency_ms": result.attempt.latency_ms,
        "error": result.attempt.error,
        "detail": result.attempt.detail,
        "answer": result.attempt.answer,
        "advice": "" if result.delivered else advice(result.attempt, revision),
        "batch": result.batch,
        "destination": result.destination,
    }


def status_shape(revision: Revision, status: Status | None, left_out: LeftOut) -> dict[str, Any]:
    """How a destination fares as JSON has it; null and 0 while no deliverer has had to do with it."""
    known = status or Status(destination=revision.destination, at=0)
    return {
        "state": state_of(revision, status),
        "at": _time(known.at or None),
        "last_attempt": _attempt_shape(known.last),
        "advice": advice(known.last, revision) if known.last and known.failures else "",
        "last_success": _time(known.last_success),
        "failures": known.failures,
        "failing_since": _time(known.failing_since),
        "backlog": {
            "batches": known.waiting + known.parked,
            "parked": known.parked,
            "parked_events": known.parked_events,
            "parked_since": _time(known.parked_since),
        },
        "delivered": {each.stream: each.sequence for each in known.delivered},
        "dead_letters_ever": known.dead_letters,
        "last_dead_letter": _time(known.last_dead_letter),
        "last_dead_letter_reason": known.last_reason or None,
        "not_collected": {"events": left_out.events, "since": _time(left_out.since)},
    }


def outcome(result: TestResult, revision: Revision) -> str:
    """A test delivery in some lines, and what to do if it failed."""
    attempt = result.attempt
    verdict = "delivered" if result.delivered else "not delivered"
    status = f"status {attempt.status}" if attempt.status is not None else "no answer"
    lines = [f"{result.destination}: {verdict}, {status}, {attempt.latency_ms} ms"]
    if attempt.error or attempt.detail:
        lines.append(printable(": ".join(part for part in (attempt.error, attempt.detail) if part)))
    if attempt.answer:
        lines += ["The answer begins:", *(f"  {printable(line)}" for line in attempt.answer.splitlines())]
    if not result.delivered:
        lines.append(printable(advice(attempt, revision)))
    return "\n".join(filter(None, lines))


def printable(text: str) -> str:
    """`text` with every control, format and other invisible character as its escape."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _attempt_shape(attempt: Attempt | None) -> dict[str, Any] | None:
    if attempt is None:
        return None
    return {
        "at": time_text(attempt.at),
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
        "detail": attempt.detail,
        "answer": attempt.answer,
    }


def _time(ms: int | None) -> str | None:
    return None if ms is None else time_text(ms)
