"""Destinations for the tests of the alerts, in every state."""

from typing import Any

from auditcast.deliverers.alerts.alert import DAY_MS, HOUR_MS, Policy, Situation
from auditcast.schemas.records import Alerted, Attempt, Revision, Status, Workspace

NOW = 1_795_269_300_000
MINUTE_MS = 60_000
POLICY = Policy(pause_after=5 * DAY_MS, parked_retention=30 * DAY_MS, letters_retention=30 * DAY_MS)
NOTHING = Alerted(destination="dst_1", at=0)


def revision(**more: Any) -> Revision:
    fields: dict[str, Any] = {
        "destination": "dst_1",
        "number": 3,
        "nonce": "ab",
        "state": "active",
        "changed_at": NOW - 90 * DAY_MS,
        "workspace": "ws_1",
        "epoch": "e0",
        "description": "SIEM",
        "url": "https://siem.example.com/http/TOKEN?key=TOKEN",
        "alert_to": ["owner@example.com"],
    }
    return Revision(**fields | more)


def workspace(**more: Any) -> Workspace:
    """Of the destination: on a plan that forwards nothing, for two days."""
    fields: dict[str, Any] = {
        "workspace": "ws_1",
        "number": 2,
        "nonce": "ab",
        "changed_at": NOW - DAY_MS,
        "name": "Acme Platform",
        "url": "https://platform.example.com/acme",
        "plan": "free",
        "entitled": False,
        "owners": ["ada@example.com"],
        "since": NOW - 2 * DAY_MS,
    }
    return Workspace(**fields | more)


def failing(**more: Any) -> Status:
    """Four hours of failures, with three dead letters."""
    fields: dict[str, Any] = {
        "destination": "dst_1",
        "at": NOW,
        "last": Attempt(at=NOW - MINUTE_MS, latency_ms=80, status=503, answer="down"),
        "last_success": NOW - 5 * HOUR_MS,
        "failures": 9,
        "failing_since": NOW - 4 * HOUR_MS,
        "dead_letters": 3,
        "last_dead_letter": NOW - MINUTE_MS,
        "last_reason": "status-503",
    }
    return Status(**fields | more)


def working(**more: Any) -> Status:
    """One that has just taken a batch."""
    fields: dict[str, Any] = {
        "destination": "dst_1",
        "at": NOW,
        "last": Attempt(at=NOW - MINUTE_MS, latency_ms=80, status=200),
        "last_success": NOW - MINUTE_MS,
    }
    return Status(**fields | more)


def situation(status: Status, **more: Any) -> Situation:
    return Situation(revision=revision(), status=status, **more)
