"""A CloudEvent in any valid shape, written anew in the one form in which events are joined into a body."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_args

import msgspec
from msgspec import UNSET, Struct

from auditcast.schemas.attributes import normal_time, permitted
from auditcast.schemas.errors import EventTooLarge, InvalidEvent, Undecodable
from auditcast.schemas.events import MAX_EVENT_BYTES, CloudEvent
from auditcast.schemas.strict_json import too_deep, within_limits

JSON_TYPE: Final = "application/json"

_NAME = re.compile("[a-z0-9]+")
_RESERVED = re.compile("sequence|sequencetype|audit.*")
_JSON_MEDIA_TYPE = re.compile(r"(application|text)/([a-z0-9!#$&^_.+-]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
_PATH = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_MISSING = re.compile("Object missing required field `(.*)`")
_ALLOWED: Final = {
    "specversion": "must be 1.0",
    "datacontenttype": "must be application/json",
    "data.outcome": "must be success or failure",
}
_DATA_DEFAULTS: Final[Mapping[str, Any]] = {"target": None, "description": None, "metadata": {}, "outcome": "success"}


def normal_form(members: Mapping[str, Any]) -> tuple[CloudEvent, bytes]:
    """The event whose JSON object has `members`, and its bytes; raises `Refused`.

    Known members come first and in order, then the extensions; unknown members of `data` are kept, at the end of their
    object. The same bytes come out when they are given in again.
    """
    present = {name: value for name, value in members.items() if value is not None}  # to CloudEvents, null is absent
    for name in present:
        _check_name(name)
    event_members = _arranged(_normal_attributes(present), CloudEvent)
    if not within_limits(event_members, 0):
        raise too_deep()
    try:
        raw = msgspec.json.encode(event_members)
        event = msgspec.convert(event_members, CloudEvent)
    except UnicodeEncodeError:
        raise Undecodable("a string holds a lone surrogate, which no UTF-8 text can: mend its encoding") from None
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    for name, value in event_members.items():
        if name != "data":
            _check_attribute(name, value)
    if len(raw) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(raw), MAX_EVENT_BYTES)
    return event, raw


def _normal_attributes(present: dict[str, Any]) -> dict[str, Any]:
    """The members with defaults filled in, and those brought to one form that may have several."""
    data = present.get("data")
    if not isinstance(data, dict):
        raise InvalidEvent("data", "is missing" if data is None else "must be a JSON object")
    data = {
        **_DATA_DEFAULTS,
        **{name: value for name, value in data.items() if value is not None or name not in _DATA_DEFAULTS},
    }
    normal = {"datacontenttype": JSON_TYPE, **present, "data": data}
    content_type, time, target = normal["datacontenttype"], normal.get("time"), data["target"]
    if isinstance(content_type, str) and _JSON_MEDIA_TYPE.fullmatch(content_type):
        normal["datacontenttype"] = JSON_TYPE
    if isinstance(time, str):
        normal["time"] = normal_time(time)
    if "subject" not in normal and isinstance(target, dict) and "id" in target:
        normal["subject"] = target["id"]
    return normal


def _arranged(members: dict[str, Any], kind: type[Struct]) -> dict[str, Any]:
    """Known members in the order of `kind`, without those that are null and may be absent, then the unknown ones."""
    known = {}
    for name, optional, inner in _plan(kind):
        if name in members:
            value = members[name]
            if inner is not None and isinstance(value, dict):
                value = _arranged(value, inner)
            if value is not None or not optional:
                known[name] = value
    return known | {name: value for name, value in members.items() if name not in kind.__struct_fields__}


@cache
def _plan(kind: type[Struct]) -> list[tuple[str, bool, type[Struct] | None]]:
    """For each field of `kind` its name, whether it may be absent, and the type of the object that it holds, if any."""
    return [
        (field.name, field.default is UNSET, next(filter(_is_struct, get_args(field.type) or (field.type,)), None))
        for field in msgspec.structs.fields(kind)
    ]


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _check_name(name: str) -> None:
    shown = name[:40]
    if name == "data_base64":
        raise InvalidEvent(name, "an audit event's data is a JSON object: send it as data")
    if _NAME.fullmatch(name) is None:
        raise InvalidEvent(repr(shown), "an attribute's name has only lower-case letters and digits")
    if _RESERVED.fullmatch(name):
        raise InvalidEvent(shown, "the pipeline keeps this name for itself: choose another")


def _check_attribute(name: str, value: object) -> None:
    """`value` is one that CloudEvents lets an attribute have: text, a 32-bit integer or a boolean."""
    match value:
        case str() if not value:
            raise InvalidEvent(name[:40], "is empty: leave it out")
        case str() if not permitted(value):
            raise InvalidEvent(name[:40], "holds a control or another character that CloudEvents forbids: remove it")
        case bool() | str():
            return
        case int() if -(2**31) <= value < 2**31:
            return
        case int():
            raise InvalidEvent(name[:40], "is an integer of more than 32 bits: send it as a string")
        case _:
            raise InvalidEvent(name[:40], "must be a string, an integer or a boolean")


def _invalid(error: msgspec.ValidationError) -> InvalidEvent:
    """What msgspec says, as the path of a field and what is wrong with it."""
    found = _PATH.fullmatch(str(error))
    problem, path = (found["problem"], found["path"] or "") if found else (str(error), "")
    missing = _MISSING.fullmatch(problem)
    if missing:
        return InvalidEvent(".".join(filter(None, (path, missing[1]))), "is missing")
    return InvalidEvent(path or "event", _ALLOWED.get(path, f"{problem[0].lower()}{problem[1:]}"))
