"""Single events as stores keep them, each read as the piece of a body that it was, with its place. Pure.

Everything here raises whatever a hostile value makes it raise (`BROKEN`).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from auditcast.console.verifying.claims import Place, place_told
from auditcast.console.verifying.items import Events, Item, Tests, Told, Unplaced
from auditcast.console.verifying.rebuilding import CLOUDEVENTS
from auditcast.console.verifying.statements import manifest_in
from auditcast.schemas.errors import Refused
from auditcast.schemas.formats import datadog, elastic, splunk

BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError, Refused)
"""Whatever hostile JSON makes a reader raise."""

TEST = ".auditcast.test"
"""What the type of a test's event ends with."""

_SEQUENCE = re.compile("[0-9]{1,20}")
_place_told = lru_cache(maxsize=1024)(place_told)
"""All events of a batch say the same."""


class _Event(Struct, frozen=True):
    """The members of a CloudEvent that place it."""

    type: str = ""
    sequence: str | int = ""
    auditstream: str | None = None
    auditbatch: int | str = 0
    auditopened: str | int = ""
    auditgap: str = "-"
    auditprevious: str = ""


_event = msgspec.json.Decoder(_Event).decode
_value = msgspec.json.Decoder().decode


def cloud_events(raws: Iterable[bytes], where: str) -> Iterator[Item]:
    """CloudEvents, neighbours of one batch together."""
    gathered: list[tuple[int, bytes]] = []
    at: Place | None = None
    for raw in raws:
        event = _event(raw)
        place = number = None
        if event.auditstream:
            place = _place_told(
                event.auditstream, str(event.auditbatch), str(event.auditopened), event.auditgap, event.auditprevious
            )
            number = _number(event.sequence)
        if place is not None and number and place.sequence:
            if gathered and place is not at and place != at:
                yield _gathered(at, gathered, where)
                gathered = []
            at = place
            gathered.append((number, raw))
        else:
            yield _other(_value(raw), event.auditstream, where)
    if gathered:
        yield _gathered(at, gathered, where)


def datadog_log(log: Mapping[str, Any], where: str) -> Iterator[Item]:
    """A log as the search API (`data[]`) or an archive (a line) has it."""
    attributes = log["attributes"]
    inner = attributes.get("attributes", attributes)
    message = attributes["message"] if "attributes" in attributes else log.get("message", "")
    yield _placed("datadog", inner.get("audit"), inner, where, lambda: datadog.restored(message, inner))


def elastic_document(hit: Mapping[str, Any], where: str) -> Iterator[Item]:
    """A document as a search, a scroll or a dump has it."""
    source = hit["_source"]
    audit = source.get("audit")
    original = source.get("event", {}).get("original", "{}")
    yield _placed("elastic", audit, _value(original), where, lambda: elastic.restored(hit["_id"], source))


def splunk_result(result: Mapping[str, Any], where: str) -> Iterator[Item]:
    """A result of a search that has its `_raw` and its indexed fields."""
    fields = {name: value for name, value in result.items() if name.startswith("audit_") and value}
    audit = {name.removeprefix("audit_"): value for name, value in fields.items()}
    raw = result["_raw"].encode()
    told = {name: result[name] for name in ("host", "source", "sourcetype", "index") if result.get(name)}
    yield _placed("splunk", audit or None, _value(raw), where, lambda: splunk.restored(raw, told, fields))


def _placed(family: str, audit: Any, value: Any, where: str, restored: Callable[[], bytes]) -> Item:
    """An event whose place is in an object of its own; `value` is where a manifest would be."""
    stream = audit.get("stream") if isinstance(audit, dict) else None
    if stream:
        told = (audit.get("batch", ""), audit.get("opened", ""), audit.get("gap", "-"), audit.get("previous", ""))
        place = _place_told(stream, *map(str, told))
        number = _number(audit.get("event", ""))
        if place is not None and place.sequence and number:
            return Events(place, family, [(number, _piece(restored, value))], where)
    return _other(value, stream, where)


def _piece(restored: Callable[[], bytes], value: Any) -> bytes:
    """The piece of the body; of what was never one some bytes that spoil the digest."""
    try:
        return restored()
    except BROKEN:
        return msgspec.json.encode(value)


def _other(value: Any, stream: str | None, where: str) -> Item:
    """What stands in no chain of batches: a manifest, a test, or something else altogether."""
    found = manifest_in(value)
    if found is not None:
        return Told(found, where)
    return Tests(1, where) if stream == "" or _is_test(value) else Unplaced(1, where, stream or "")


def _is_test(value: Any) -> bool:
    """Whether it is a test's event; Splunk keeps no empty field, and so not the name of no stream."""
    return isinstance(value, dict) and str(value.get("type", "")).endswith(TEST)


def _gathered(place: Place | None, numbered: list[tuple[int, bytes]], where: str) -> Events:
    assert place is not None  # noqa: S101  (what was gathered has a place)
    return Events(place, CLOUDEVENTS, numbered, where)


def _number(told: str | int) -> int:
    text = str(told)
    return int(text) if _SEQUENCE.fullmatch(text) else 0
