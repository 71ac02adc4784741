"""The Avro form of an audit event, for platforms that settled on Avro: the same content, the slower way in."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from auditcast.schemas import strict_json
from auditcast.schemas.attributes import ms_of, source_of, time_text, type_of
from auditcast.schemas.errors import InvalidEvent
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.normal_form import JSON_TYPE, normal_form
from auditcast.schemas.records import AuditEvent


def to_cloudevent(event: AuditEvent, base_url: str, type_prefix: str) -> CloudEvent:
    """The CloudEvent that `event` is, checked by the same rules as one that came as JSON; raises `Refused`.

    Encoding it gives the bytes that may be joined into a body.
    """
    return normal_form(_members(event, base_url, type_prefix))[0]


def from_cloudevent(event: CloudEvent) -> AuditEvent:
    """The inverse, for an event whose source, type and subject follow from its content, as ours all do."""
    data, target, client = event.data, event.data.target, event.data.client
    return AuditEvent(
        id=event.id,
        workspace=event.workspaceid,
        category=data.action.category,
        action=data.action.action,
        actor_id=data.actor.id,
        actor_type=data.actor.type,
        occurred_at=ms_of(event.time),
        organization=_or_none(event.organizationid),
        actor_email=_or_none(data.actor.email),
        actor_name=_or_none(data.actor.name),
        target_type=None if target is None else target.type,
        target_id=None if target is None else target.id,
        target_name=None if target is None else _or_none(target.name),
        description=data.description,
        outcome=data.outcome,
        metadata=msgspec.json.encode(data.metadata).decode(),
        ip=None if client is UNSET else _or_none(client.ip),
        user_agent=None if client is UNSET else _or_none(client.user_agent),
    )


def _members(event: AuditEvent, base_url: str, type_prefix: str) -> dict[str, Any]:
    """The members of the CloudEvent's JSON object; what is None there is left out by `normal_form`."""
    client = {"ip": event.ip, "user_agent": event.user_agent}
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": source_of(base_url, event.workspace),
        "type": type_of(type_prefix, event.category, event.action),
        "time": time_text(event.occurred_at),
        "datacontenttype": JSON_TYPE,
        "data": {
            "actor": {
                "id": event.actor_id,
                "type": event.actor_type,
                "email": event.actor_email,
                "name": event.actor_name,
            },
            "action": {"category": event.category, "action": event.action},
            "target": _target(event),
            "description": event.description,
            "metadata": _metadata(event.metadata),
            "outcome": event.outcome,
            "client": client if any(value is not None for value in client.values()) else None,
        },
        "workspaceid": event.workspace,
        "organizationid": event.organization,
    }


def _target(event: AuditEvent) -> dict[str, str | None] | None:
    """What the event was done to, or None if it names nothing of the kind; half of a target is an error."""
    target = {"type": event.target_type, "id": event.target_id, "name": event.target_name}
    if all(value is None for value in target.values()):
        return None
    for name in ("type", "id"):
        if target[name] is None:
            raise InvalidEvent(f"target_{name}", "is missing: give both target_type and target_id, or neither")
    return target


def _metadata(text: str) -> dict[str, Any]:
    # A lone surrogate becomes invalid UTF-8, which the parser refuses as it refuses any other.
    metadata = strict_json.parse(text.encode("utf-8", "surrogatepass"))
    if not isinstance(metadata, dict):
        raise InvalidEvent("metadata", "must be the text of a JSON object")
    return metadata


def _or_none(text: str | UnsetType) -> str | None:
    return None if text is UNSET else text
