"""Why an event is refused: walked only once something is known to be wrong, so it may take its time."""

import math
import re
from collections.abc import Iterator
from decimal import Decimal

import msgspec
from msgspec import Struct

from auditcast.producers.forms import AnyData, PlainData
from auditcast.schemas.errors import InvalidEvent
from auditcast.schemas.events import MAX_DEPTH
from auditcast.schemas.strict_json import within_limits

METADATA_DEPTH = 2
"""How many objects stand around `metadata`."""

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


def translated(error: msgspec.ValidationError, field: str = "event") -> InvalidEvent:
    """What msgspec found, in the words of who called `emit`; `field` is where, if msgspec does not say it."""
    found = _PLACE.fullmatch(str(error))
    problem, path = (found["problem"], found["path"] or field) if found else (str(error), field)
    for pattern, sentence in _PROBLEMS:
        if pattern.fullmatch(problem):
            problem = pattern.sub(sentence, problem)
            break
    for sign, word in _WORDS.items():
        problem = problem.replace(sign, word)
    return InvalidEvent(path.removeprefix("client."), problem)


def metadata_fault(metadata: object) -> InvalidEvent | None:
    """The first thing in the metadata that is no JSON, too deep, or beyond what JSON's readers take."""
    return next(_faults(metadata, "metadata", METADATA_DEPTH), None)


def text_fault(data: AnyData | PlainData) -> InvalidEvent:
    """The first text in an event's data that cannot be written."""
    for path, text in _texts(data, ""):
        problem = _problem(text)
        if problem:
            return InvalidEvent(path.removeprefix("client."), problem)
    return metadata_fault(data.metadata) or InvalidEvent("event", "it cannot be written as JSON")


def not_text(workspace: object, category: object, action: object, organization: object, id: object) -> InvalidEvent:  # noqa: A002  (the event's field)
    """Which of these is not text; the last two may also be None."""
    given = {"workspace": workspace, "category": category, "action": action, "organization": organization, "id": id}
    field = next(
        name
        for name, value in given.items()
        if not isinstance(value, str) and not (value is None and name in {"organization", "id"})
    )
    return InvalidEvent(field, f"must be text, not {named(given[field])}")


def not_permitted(field: str) -> InvalidEvent:
    """For text that no attribute of a CloudEvent may be."""
    return InvalidEvent(field, "it holds a control character, which CloudEvents forbids: remove it")


def named(value: object) -> str:
    """The type of a value, for a sentence."""
    return type(value).__name__


def _texts(part: Struct, prefix: str) -> Iterator[tuple[str, str]]:
    """Each text that stands in the fields of a Struct, and its path."""
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, Struct):
            yield from _texts(value, f"{prefix}{name}.")
        elif isinstance(value, str):
            yield f"{prefix}{name}", value


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
    problem = None
    match value:
        case None | bool():
            pass
        case str() if _has_surrogate(value):
            problem = "it holds a lone surrogate, which no UTF-8 text can"
        case int() if not within_limits(int(value), 0):
            problem = "the number has more than 64 bits: give it as text"
        case float() if not math.isfinite(value):
            problem = f"{value} is no JSON number: give a finite one, text or None"
        case Decimal():
            if not (value.is_finite() and Decimal(repr(float(value))) == value):
                problem = f"{value} is more than a JSON number can hold: give it as text"
        case _ if not _survives(value):
            problem = f"{named(value)} is no JSON: give text, a number, a boolean, a list, a dict or None"
    return problem


def _survives(value: object) -> bool:
    """Whether something unusual (an enumeration's member) is read back as its equal."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
