"""Why an event is refused: walked only once something is known to be wrong, so it may take its time."""

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from auditcast.schemas.attributes import permitted
from auditcast.schemas.errors import InvalidEvent
from auditcast.schemas.events import MAX_DEPTH, CloudEvent
from auditcast.schemas.strict_json import within_limits

METADATA_DEPTH = 2
"""How many objects stand around `metadata`."""

_ARGUMENTS = {
    "source": "workspace",
    "workspaceid": "workspace",
    "organizationid": "organization",
    "time": "occurred_at",
    "type": "action",
    "subject": "target.id",
    "data.client.ip": "ip",
    "data.client.user_agent": "user_agent",
    "data.action.category": "category",
    "data.action.action": "action",
}
"""Where a member of an event comes from, if not from the argument of its own name."""

_PLACE = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_PROBLEMS = (
    (re.compile(r"Expected `str`, got `(\w+)`"), r"must be text, not \1"),
    (re.compile(r"Expected `str \| null`, got `(\w+)`"), r"must be text or None, not \1"),
    (re.compile(r"Expected `object`, got `(\w+)`"), r"must be a dict, not \1"),
    (re.compile(r"Expected `str` of length >= 1"), "must not be empty"),
    (re.compile(r"Expected `str` of length (>=|<=) (\d+)"), r"must have \1 \2 characters"),
    (re.compile(r"Invalid enum value .*"), 'must be "success" or "failure"'),
)
_WORDS = {">=": "at least", "<=": "at most"}


def translated(error: msgspec.ValidationError) -> InvalidEvent:
    """What the reader found, in the words of who called `emit`."""
    found = _PLACE.fullmatch(str(error))
    problem, path = (found["problem"], found["path"] or "event") if found else (str(error), "event")
    for pattern, sentence in _PROBLEMS:
        if pattern.fullmatch(problem):
            problem = pattern.sub(sentence, problem)
            break
    for sign, word in _WORDS.items():
        problem = problem.replace(sign, word)
    return InvalidEvent(_ARGUMENTS.get(path, path.removeprefix("data.")), problem)


def first_fault(event: CloudEvent) -> InvalidEvent | None:
    """The first thing in an event that does not survive being written and read, or that no receiver may be given."""
    for field, text, is_attribute in _texts(event):
        if text is None or text is UNSET:
            continue
        if not isinstance(text, str):
            return InvalidEvent(field, f"must be text, not {named(text)}")
        if _has_surrogate(text):
            return InvalidEvent(field, "it holds a lone surrogate, which no UTF-8 text can")
        if is_attribute and not permitted(text):
            return InvalidEvent(field, "it holds a control character or a noncharacter, which CloudEvents forbids")
    if not isinstance(event.data.metadata, dict):
        return InvalidEvent("metadata", f"must be a dict, not {named(event.data.metadata)}")
    return next(_faults(event.data.metadata, "metadata", METADATA_DEPTH), None)


def unwritable() -> InvalidEvent:
    """What is said where no single fault is found."""
    return InvalidEvent("metadata", "it cannot be written as JSON: give text, numbers, booleans, lists and dicts")


def not_text(**fields: object) -> InvalidEvent:
    """Which of these is not text."""
    field, value = next((field, value) for field, value in fields.items() if not isinstance(value, str))
    return InvalidEvent(field, f"must be text, not {named(value)}")


def wrong_parts(kind: type[Struct], field: str, given: Mapping[Any, Any]) -> InvalidEvent:
    """Why no `kind` can be made of the mapping `given`."""
    known = kind.__struct_fields__
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}"
            return InvalidEvent(f"{field}.{name}", f"there is no such part: {hint}")
    required = [part.name for part in msgspec.structs.fields(kind) if part.required]
    missing = next((name for name in required if given.get(name) is None), required[0])
    return InvalidEvent(f"{field}.{missing}", "is missing")


def named(value: object) -> str:
    """The type of a value, for a sentence."""
    return type(value).__name__


def _texts(event: CloudEvent) -> Iterator[tuple[str, object, bool]]:
    """Each text of an event: the argument it comes from, its value, and whether it is a CloudEvents attribute."""
    data = event.data
    yield "id", event.id, True
    yield "workspace", event.workspaceid, True
    yield "organization", event.organizationid, True
    for name in data.actor.__struct_fields__:
        yield f"actor.{name}", getattr(data.actor, name), False
    if data.target is not None:
        for name in data.target.__struct_fields__:
            yield f"target.{name}", getattr(data.target, name), name == "id"
    yield "description", data.description, False
    yield "outcome", data.outcome, False
    if data.client is not UNSET:
        yield "ip", data.client.ip, False
        yield "user_agent", data.client.user_agent, False


def _faults(value: object, path: str, depth: int) -> Iterator[InvalidEvent]:
    """What is no JSON, or too deep, in `value`, around which `depth` objects and arrays stand."""
    if isinstance(value, (dict, list, tuple)):
        if depth >= MAX_DEPTH:
            yield InvalidEvent("metadata", f"it nests more than {MAX_DEPTH - METADATA_DEPTH} deep: flatten it")
            return
        if isinstance(value, dict):
            yield from (InvalidEvent(path, problem) for problem in map(_key_problem, value) if problem)
            children = [(f"{path}.{key}", child) for key, child in value.items()]
        else:
            children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
        for place, child in children:
            yield from _faults(child, place, depth + 1)
    elif problem := _problem(value):
        yield InvalidEvent(path, problem)


def _key_problem(key: object) -> str | None:
    if not isinstance(key, str):
        return f"a key must be text, not {key!r:.40}"
    return f"the key {key!r:.40} holds a lone surrogate, which no UTF-8 text can" if _has_surrogate(key) else None


def _problem(value: object) -> str | None:
    """What is wrong with a value that is no object or array."""
    match value:
        case None | bool():
            return None
        case str():
            return "it holds a lone surrogate, which no UTF-8 text can" if _has_surrogate(value) else None
        case int() if not within_limits(int(value), 0):
            return "the number has more than 64 bits: give it as text"
        case float() if not math.isfinite(value):
            return f"{value} is no JSON number: give a finite one, text or None"
        case _ if not _survives(value):
            return f"{named(value)} is no JSON: give text, a number, a boolean, a list, a dict or None"
    return None


def _survives(value: object) -> bool:
    """Whether something unusual (an enumeration's member) is read back as its equal."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
