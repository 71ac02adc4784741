"""Fields of an event that a destination must not get as they are: left out, or hashed.

A hashed value is an HMAC with a salt that only the pipeline knows: equal values stay equal within one destination, and
nobody can try out guesses.
"""

import hmac
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from auditcast.schemas.events import CloudEvent, decode
from auditcast.schemas.records import Revision

Redaction = Callable[[bytes], tuple[CloudEvent, bytes]]

_TEXTS = ("actor.email", "actor.name", "client.ip", "client.user_agent", "target.name")
DROPPABLE = (*_TEXTS, "client", "description", "metadata", "target")
HASHABLE = (*_TEXTS, "actor.id", "target.id")
METADATA = "metadata."
"""Beside these, each key of `metadata`, as in `metadata.token`, may be dropped and hashed."""

HASHED = "hmac-"
"""What a hashed value begins with; 32 hexadecimal digits follow."""

_EMPTY: dict[str, Any] = {"description": None, "metadata": {}, "target": None}
"""What stands for a dropped member that may not be absent."""


def redaction(revision: Revision, salt: bytes) -> Redaction | None:
    """What the destination gets of an event, given its bytes; None if it gets it as it is."""
    if not (revision.dropped or revision.hashed):
        return None
    dropped, hashed = _paths(revision.dropped), _paths(revision.hashed)

    def redacted(raw: bytes) -> tuple[CloudEvent, bytes]:
        members = msgspec.json.decode(raw)
        data = members["data"]
        for path in hashed:
            _hash(data, path, salt)
        for path in dropped:
            _drop(data, path)
        if ["target"] in dropped:
            members.pop("subject", None)  # it is the target's id, and says as much
        elif ["target", "id"] in hashed:
            _hash(members, ["subject"], salt)  # also of an event that has a subject and no target
        bare = msgspec.json.encode(members)
        return decode(bare), bare

    return redacted


def unknown_fields(revision: Revision) -> list[str]:
    """Fields that `revision` redacts and this release cannot, which a later one may."""
    return [field for field in revision.dropped if not _is_among(field, DROPPABLE)] + [
        field for field in revision.hashed if not _is_among(field, HASHABLE)
    ]


def _is_among(field: str, known: Sequence[str]) -> bool:
    return field in known or field.startswith(METADATA)


def _paths(fields: Sequence[str]) -> list[list[str]]:
    """Each as an object's name, if any, and a member's; a key of metadata may itself have dots."""
    return [field.split(".", 1) for field in fields]


def _holder(data: dict[str, Any], path: list[str]) -> dict[str, Any] | None:
    """The object in which the member `path` stands, if it does."""
    holder = data.get(path[0]) if len(path) > 1 else data
    return holder if isinstance(holder, dict) and path[-1] in holder else None


def _hash(data: dict[str, Any], path: list[str], salt: bytes) -> None:
    holder = _holder(data, path)
    if holder is not None and holder[path[-1]] is not None:
        value = holder[path[-1]]
        text = value.encode() if isinstance(value, str) else msgspec.json.encode(value)
        holder[path[-1]] = HASHED + hmac.digest(salt, text, "sha256").hex()[:32]


def _drop(data: dict[str, Any], path: list[str]) -> None:
    holder = _holder(data, path)
    if holder is None:
        return
    if len(path) == 1 and path[0] in _EMPTY:
        holder[path[0]] = _EMPTY[path[0]]
    else:
        del holder[path[-1]]
        if path[0] == "client" and not holder:
            del data["client"]
