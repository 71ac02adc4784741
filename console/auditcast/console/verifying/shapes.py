"""A JSON value of an input, told by its shape: a delivery, a body, an event, a page of a store's answer. Pure."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from auditcast.console.verifying import stored
from auditcast.console.verifying.items import Item, Request, Told, Unreadable
from auditcast.console.verifying.rebuilding import is_unambiguous
from auditcast.console.verifying.statements import manifest_in
from auditcast.console.verifying.stored import BROKEN
from auditcast.schemas.records import Manifest

KINDS = ("deliveries", "events", "datadog", "splunk", "elastic", "manifests")
"""What a person may say that an input is."""

_DEEPEST = 4
"""How deeply pages may lie in each other."""


class Spot(Struct, frozen=True):
    """Where a value lies, what it is to be (one of `KINDS`; empty: what it looks like), how deep among pages."""

    where: str
    kind: str = ""
    ordered: bool = False
    depth: int = 0

    def inner(self) -> "Spot":
        """That of a value within."""
        return Spot(self.where, self.kind, depth=self.depth + 1)


class _Shape(Struct):
    """The members by which a value is told, undecoded."""

    headers: Raw | UnsetType = UNSET
    body: Raw | UnsetType = UNSET
    body_base64: Raw | UnsetType = UNSET
    specversion: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET
    attributes: Raw | UnsetType = UNSET
    hits: Raw | UnsetType = UNSET
    source: Raw | UnsetType = msgspec.field(name="_source", default=UNSET)
    result: Raw | UnsetType = UNSET
    results: Raw | UnsetType = UNSET
    raw: Raw | UnsetType = msgspec.field(name="_raw", default=UNSET)
    preview: Raw | UnsetType = UNSET
    closing_digest: Raw | UnsetType = UNSET


class _Delivery(Struct):
    headers: dict[str, str | int | list[str | int]]
    body: str | None = None
    body_base64: str | None = None


Reader = Callable[[bytes, Spot], Iterator[Item]]

_shape = msgspec.json.Decoder(_Shape).decode
_delivery = msgspec.json.Decoder(_Delivery).decode
_raw = msgspec.json.Decoder(Raw).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode


def is_json(text: bytes) -> bool:
    """Whether it is one JSON value; one that nests too deep is, as far as anybody can tell."""
    try:
        _raw(text)
    except msgspec.DecodeError:
        return False
    except RecursionError:
        return True
    return True


def items_in(raw: bytes, spot: Spot) -> Iterator[Item]:
    """What one JSON value holds; something that cannot be read is an item, too."""
    if spot.depth > _DEEPEST:
        yield Unreadable(spot.where, "pages lie in pages")
        return
    raw = raw.strip()
    try:
        if raw.startswith(b"["):
            yield from _array(raw, spot)
            return
        reader = _reader(_shape(raw), spot.kind)
        if reader is not None:
            yield from reader(raw, spot)
            return
    except BROKEN as problem:
        yield Unreadable(spot.where, _reason(problem))
    else:
        yield Unreadable(spot.where, f"it has not the form of {spot.kind or 'anything that a receiver keeps'}")


def items_in_body(body: bytes, spot: Spot) -> Iterator[Item]:
    """What a body holds whose headers say nothing: one JSON value, or one a line."""
    texts = [body] if body.lstrip().startswith(b"[") else body.splitlines()
    for text in texts:
        yield from items_in(text, spot)


def _array(raw: bytes, spot: Spot) -> Iterator[Item]:
    """A body of events, or a page of anything."""
    items = [bytes(item) for item in _raws(raw)]
    if spot.kind in ("", "events") and items and _shape(items[0]).specversion is not UNSET:
        yield from stored.cloud_events(items, spot.where)
    else:
        for item in items:
            yield from items_in(item, spot.inner())


def _request(raw: bytes, spot: Spot) -> Iterator[Item]:
    told = _delivery(raw)
    body = told.body.encode() if told.body is not None else base64.b64decode(told.body_base64 or "", validate=True)
    headers: dict[str, list[str]] = {}
    for name, value in told.headers.items():
        headers.setdefault(name.lower(), []).extend(map(str, value if isinstance(value, list) else [value]))
    yield Request(joined(headers), body, spot.where, spot.ordered)


def joined(headers: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Headers whose name stands there more than once are one list, says HTTP."""
    return {name: ", ".join(dict.fromkeys(values)) for name, values in headers.items()}


def _manifest(raw: bytes, spot: Spot) -> Iterator[Item]:
    found = manifest_in(_value(raw))
    yield Told(found, spot.where) if found else Unreadable(spot.where, "it looks like a manifest and is none")


def manifests_in(body: bytes) -> Iterator[Manifest]:
    """The manifests in a delivery's body, whatever its format: one JSON value, or one a line."""
    for text in (body, *body.splitlines()):
        with suppress(*BROKEN):
            found = manifest_in(_value(text))
            if found is not None:
                yield found


def _event(raw: bytes, spot: Spot) -> Iterator[Item]:
    return stored.cloud_events([raw], spot.where)


def _within(member: str) -> Reader:
    """What lies in a member: another value, or an array of such."""

    def read(raw: bytes, spot: Spot) -> Iterator[Item]:
        return items_in(bytes(_members(raw)[member]), spot.inner())

    return read


def _nothing(raw: bytes, spot: Spot) -> Iterator[Item]:
    """What ends a search."""
    return iter(())


def _stored(read: Callable[[Any, str], Iterator[Item]]) -> Reader:
    def told(raw: bytes, spot: Spot) -> Iterator[Item]:
        if not is_unambiguous(raw):
            raise ValueError("what a store writes names each member once")
        return read(_value(raw), spot.where)

    return told


_READERS: Sequence[tuple[str, tuple[str, ...], Reader]] = (
    ("deliveries", ("headers", "body"), _request),
    ("deliveries", ("headers", "body_base64"), _request),
    ("manifests", ("closing_digest",), _manifest),
    ("events", ("specversion",), _event),
    ("elastic", ("hits",), _within("hits")),
    ("elastic", ("source",), _stored(stored.elastic_document)),
    ("splunk", ("result",), _within("result")),
    ("splunk", ("results",), _within("results")),
    ("splunk", ("raw",), _stored(stored.splunk_result)),
    ("splunk", ("preview",), _nothing),
    ("datadog", ("attributes",), _stored(stored.datadog_log)),
    ("datadog", ("data",), _within("data")),
)
"""By the members that each needs; the first that fits."""


def _reader(shape: _Shape, kind: str) -> Reader | None:
    for name, needs, reader in _READERS:
        if kind in ("", name) and all(getattr(shape, need) is not UNSET for need in needs):
            return reader
    return None


def _reason(problem: BaseException) -> str:
    """One clause; nothing of the content is repeated but names of members."""
    if isinstance(problem, RecursionError):
        return "it nests too deep"
    if isinstance(problem, msgspec.MsgspecError):
        return f"it is not what it looks like: {problem}"
    return f"it is not what it looks like ({type(problem).__name__})"
