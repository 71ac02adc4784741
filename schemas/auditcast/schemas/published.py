"""The JSON Schemas that emitters and receivers can rely on, made from the types themselves.

`python -m auditcast.schemas.published docs/schemas` writes them anew.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from auditcast.schemas.events import CloudEvent

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = "#/$defs/{name}"

Time = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        description="When it happened, in UTC, to the millisecond",
        extra_json_schema={"format": "date-time"},
    ),
]
Sequence = Annotated[str, Meta(pattern="^[0-9]{20}$", description="The event's number in the stream, without gaps")]


class Event(CloudEvent, frozen=True, kw_only=True):
    """One audit event as it lies in the log. Further extension attributes, and further members of `data`, are kept."""

    time: Time


class DeliveredEvent(Event, frozen=True, kw_only=True):
    """One audit event as a receiver gets it. New members may come at any time: ignore what you do not know."""

    sequence: Sequence


class Batch(msgspec.Struct):
    """Only for the schema: a body is a bare array."""

    events: Annotated[list[DeliveredEvent], Meta(min_length=1, max_length=100)]


def schemas() -> Mapping[str, dict[str, Any]]:
    """Each published schema by the name of its file."""
    (event, batch), components = msgspec.json.schema_components((Event, Batch), ref_template=_REFERENCE)
    body = components.pop(batch["$ref"].rpartition("/")[2])["properties"]["events"]
    return {
        "event.schema.json": _document(
            "An audit event in the log (CloudEvents 1.0, structured mode)", event, components
        ),
        "batch.schema.json": _document("The body of a delivery in the format cloudevents/1", body, components),
    }


def write(folder: Path) -> None:
    """Write every schema into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, schema in schemas().items():
        (folder / name).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _document(title: str, root: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    used = _reachable(root, components)
    definitions = {name: component for name, component in components.items() if name in used}
    return {"$schema": _DIALECT, "title": title, **root, "$defs": definitions}


def _reachable(schema: object, components: dict[str, Any]) -> set[str]:
    """The names of all components that `schema` refers to, directly or through others."""
    match schema:
        case {"$ref": str(reference)}:
            name = reference.rpartition("/")[2]
            return {name} | _reachable(components[name], components)
        case dict():
            return set().union(*(_reachable(value, components) for value in schema.values()))
        case list():
            return set().union(*(_reachable(value, components) for value in schema))
    return set()


if __name__ == "__main__":
    write(Path(sys.argv[1]))
