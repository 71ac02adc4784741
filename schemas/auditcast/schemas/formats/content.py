"""An event's content for formats that do not send the event as it is: each value once, in an order of its own."""

from typing import Any

import msgspec
from msgspec import UnsetType

from auditcast.schemas.events import Actor, CloudEvent, Target

_LARGEST = 2**53
"""From here on a double does not tell whole numbers apart, and stores write them in different ways."""

_JSON = ("{", "[")
_ATTRIBUTES = frozenset(CloudEvent.__struct_fields__)
_DATA = ("actor", "action", "target", "outcome", "metadata", "client", "description")


def content(raw: bytes) -> dict[str, Any]:
    """What the event `raw` says, without its id, type, time, source and subject; empty members are left out.

    Members of `data` that no version of ours knows are under `other`, CloudEvents extensions under `extensions`.
    """
    event = msgspec.json.decode(raw)
    data = event["data"]
    found = {
        **{name: data.get(name) for name in _DATA},
        "workspace_id": event["workspaceid"],
        "organization_id": event.get("organizationid"),
        "extensions": {name: value for name, value in event.items() if name not in _ATTRIBUTES},
        "other": {name: value for name, value in data.items() if name not in _DATA},
    }
    return {name: settled(value) for name, value in found.items() if value}


def settled(value: Any) -> Any:
    """`value` such that it comes out the same again after any store has parsed it and written it anew.

    Names stand in the order of their code points, whole numbers have no fraction, and numbers that not every store
    holds exactly are text.
    """
    if isinstance(value, dict):
        return {name: settled(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [settled(each) for each in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= _LARGEST:
            return repr(value)
        return int(value) if value == int(value) else value
    return value


def message_of(event: CloudEvent) -> str:
    """The event in words: its description, or who did what to what.

    Intakes read attributes from a message that is JSON, in place of the event's own; so none is.
    """
    description = event.data.description or ""
    if not description.strip():
        return headline(event)
    return f"{headline(event)}: {description}" if description.lstrip()[:1] in _JSON else description


def headline(event: CloudEvent) -> str:
    """Who did what to what."""
    data = event.data
    action = f"{data.action.category}.{data.action.action}"
    return " ".join(filter(None, (who(data.actor), action, what(data.target))))


def who(actor: Actor) -> str:
    """The actor; what it is known by stands before the name that it has chosen."""
    return _named(actor.email or actor.id, actor.name)


def what(target: Target | None) -> str:
    """The target; nothing if there is none."""
    return f"{target.type} {_named(target.id, target.name)}" if target else ""


def _named(known: str, name: str | UnsetType) -> str:
    return f"{known} ({name})" if name else known
