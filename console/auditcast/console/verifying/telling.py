"""What the events of a delivered body say of their place themselves. Pure.

Signatures are over the body and its id, and not over the other headers: without this, whoever has no secret could
change when a batch was opened, the gap before it and the digests of all that follow.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auditcast.console.verifying.claims import Claim
from auditcast.schemas.chain import NO_GAP
from auditcast.schemas.formats.base import Pieces

_value = msgspec.json.Decoder().decode
_Found = tuple[Mapping[str, Any], str, Any]
"""The members that tell the place, what their names begin with, and the number of the first event."""


def _extensions(pieces: Pieces) -> _Found:
    event = _value(pieces.items[0])
    return event, "audit", event["sequence"]


def _member(pieces: Pieces, *path: str | int) -> _Found:
    """The object at a path in the first event's last line."""
    found = _value(pieces.items[0].rpartition(b"\n")[2])
    for name in path:
        found = found[name]
    return found, "", found["event"]


def _fields(pieces: Pieces, path: str | int) -> _Found:
    found = _value(pieces.items[0])[path]
    return found, "audit_", found["audit_event"]


def _attributes(pieces: Pieces) -> _Found:
    [block] = _value(pieces.body(0, 0))
    return block["common"]["attributes"], "audit.", block["logs"][0]["attributes"]["audit.event"]


_FINDERS: Mapping[str, Callable[[Pieces], _Found]] = {
    "cloudevents/2": _extensions,
    "axiom/1": _extensions,
    "ndjson/1": _extensions,
    "datadog/1": lambda pieces: _member(pieces, "audit"),
    "elastic/1": lambda pieces: _member(pieces, "audit"),
    "ocsf/1": lambda pieces: _member(pieces, "unmapped", "audit"),
    "splunk/1": lambda pieces: _fields(pieces, "fields"),
    "loki/1": lambda pieces: _fields(pieces, 2),
    "newrelic/1": _attributes,
}


def contradicts(claim: Claim, pieces: Pieces | None) -> bool:
    """Whether the first event of the body says another place or number than the headers, if it says any."""
    finder = _FINDERS.get(claim.format)
    if finder is None or pieces is None:
        return False
    try:
        told, prefix, number = finder(pieces)
        found = {name: told[prefix + name] for name in ("stream", "batch", "opened", "previous")}
        found["gap"] = told.get(f"{prefix}gap", NO_GAP)
        first = int(number)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return False
    place = claim.place
    meant = {
        "stream": place.stream,
        "batch": place.sequence,
        "opened": place.opened,
        "previous": place.previous,
        "gap": place.gap,
    }
    return first != (claim.part or (claim.first,))[0] or any(str(found[name]) != str(meant[name]) for name in meant)
