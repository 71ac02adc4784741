"""Bodies rebuilt from single events, in each of the ways in which a store may have kept them. Pure.

A body that is not the one that came has another digest, so whatever gives the right one was right.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from auditcast.console.verifying.claims import Place
from auditcast.schemas.chain import body_digest, link_digest
from auditcast.schemas.formats.base import Pieces

Change = Callable[[bytes], bytes]

_value = msgspec.json.Decoder().decode
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_MEMBERS = ("specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data")
_DATA = ("actor", "action", "target", "description", "metadata", "outcome", "client")
_NESTED = {
    "actor": ("id", "type", "email", "name"),
    "action": ("category", "action"),
    "target": ("type", "id", "name"),
    "client": ("ip", "user_agent"),
}
_PLACE = ("_time", "sequence", "auditstream", "auditbatch", "auditopened", "auditgap", "auditprevious")


class Form(Struct, frozen=True):
    """A format, and what its pieces are made of those that are stored: the same, or changed back."""

    name: str
    head: bytes
    separator: bytes
    tail: bytes
    change: Change | None = None

    def body(self, pieces: Sequence[bytes]) -> bytes:
        """The whole body; raises `ValueError` or its like for pieces that cannot be changed back."""
        items = [self.change(piece) for piece in pieces] if self.change else pieces
        return Pieces(self.head, items, self.separator, self.tail).body()

    def digest(self, place: Place, first: int, last: int, pieces: Sequence[bytes]) -> str:
        """The digest of the batch that has these events; empty if they cannot be changed back."""
        try:
            body = self.body(pieces)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return ""
        return link_digest(
            stream=place.stream,
            sequence=place.sequence,
            first_event=first,
            last_event=last,
            opened=place.opened,
            format=self.name,
            body_sha256=body_digest(body),
            gap=place.gap,
            previous_digest=place.previous,
        )


def compact(piece: bytes) -> bytes:
    """JSON without spaces and needless escapes, its members in their order."""
    return _encode(_value(piece))


def ordered(piece: bytes) -> bytes:
    """The same, with the members of a CloudEvent in the order in which the platform writes them."""
    event = _value(piece)
    data = dict(event["data"])
    for name, members in _NESTED.items():
        if isinstance(data.get(name), dict):
            data[name] = _in_order(data[name], members)
    event["data"] = _in_order(data, _DATA)
    extensions = [name for name in event if name not in _MEMBERS and name not in _PLACE]
    known = [name for name in ("workspaceid", "organizationid") if name in extensions]
    others = [name for name in extensions if name not in known]
    return _encode(_in_order(event, (*_MEMBERS, *known, *others, *_PLACE)))


def _in_order(value: dict[str, object], names: Sequence[str]) -> dict[str, object]:
    known = {name: value[name] for name in names if name in value}
    return known | value


def _unbroken(change: Change | None) -> Change:
    """As `ndjson` has it: nothing that anybody may take for the end of a line."""

    def changed(piece: bytes) -> bytes:
        text = (change(piece) if change else piece).decode()
        for character in "\u0085\u2028\u2029":
            text = text.replace(character, f"\\u{ord(character):04x}")
        return text.encode()

    return changed


def _cloud_forms() -> Iterator[Form]:
    for change in (None, compact, ordered):
        for name in ("cloudevents/2", "axiom/1"):
            yield Form(name, b"[", b",", b"]", change)
        yield Form("ndjson/1", b"", b"\n", b"\n", _unbroken(change) if change else None)


def _without_index(piece: bytes) -> bytes:
    """As Splunk gets it where it is the token that decides on the index, which a stored event always has."""
    envelope = _envelope(piece)
    return _encode({name: value for name, value in envelope.items() if name != "index"})


CLOUDEVENTS = "cloudevents"
FAMILIES: dict[str, Sequence[Form]] = {
    CLOUDEVENTS: tuple(_cloud_forms()),
    "datadog": (Form("datadog/1", b"[", b",", b"]"),),
    "elastic": (Form("elastic/1", b"", b"\n", b"\n"),),
    "splunk": (Form("splunk/1", b"", b"\n", b"", _without_index), Form("splunk/1", b"", b"\n", b"")),
}
"""By what an event was read as: the forms that its batch may have had."""


def is_unambiguous(piece: bytes) -> bool:
    """Whether no object in a JSON value names a member twice, of which each reader may take another one."""
    try:
        json.loads(piece, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return False
    return True


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("a member stands there twice")
    return found


def untouched(family: str, pieces: Sequence[bytes]) -> bool:
    """Whether the pieces look as the platform writes them, so that no store can be to blame for a wrong digest."""
    if family != CLOUDEVENTS:
        return False
    try:
        return all(compact(piece) == piece for piece in pieces)
    except (ValueError, RecursionError):
        return False
