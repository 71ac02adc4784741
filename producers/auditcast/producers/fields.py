"""The arguments of `emit`, for the calls that pass them on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Required, TypedDict

from auditcast.producers.parties import Actor, Target

Outcome = Literal["success", "failure"]


class EventFields(TypedDict, total=False):
    """What can be said of an event; `AuditLog.emit` says what each field means."""

    workspace: Required[str]
    category: Required[str]
    action: Required[str]
    actor: Required[Actor | Mapping[str, Any]]
    target: Target | Mapping[str, Any] | None
    organization: str | None
    description: str | None
    outcome: Outcome
    metadata: Mapping[str, Any] | None
    ip: str | None
    user_agent: str | None
    occurred_at: datetime | int | str | None
    id: str | None
