"""JSON read so strictly that every other parser reads the same: what RFC 7493 (I-JSON) asks for, and 64-bit integers.

Refused are invalid UTF-8, a byte order mark, repeated names, numbers that would not survive, NaN and Infinity.
"""

import json
import math
from typing import Any, NoReturn

from auditcast.schemas.errors import Undecodable
from auditcast.schemas.events import MAX_DEPTH

_MOST_DIGITS = 17
"""A double tells this many digits apart; of more, some would be lost."""

_FLAT = frozenset({str, bool, float, type(None)})


def parse(raw: bytes) -> Any:
    """The value in `raw`, a complete JSON text; raises `Undecodable`. Lone surrogates are left to who encodes it."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(f"byte {error.start} of the JSON text is not UTF-8: encode it in UTF-8") from None
    if text.startswith("\ufeff"):
        raise Undecodable("the JSON text begins with a byte order mark: leave it out")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise Undecodable(f"this is no JSON: {error.msg[0].lower()}{error.msg[1:]}, at character {error.pos}") from None
    except RecursionError:
        raise too_deep() from None


def too_deep() -> Undecodable:
    """What is said of a value that `within_limits` denies after `parse`."""
    return Undecodable(f"objects and arrays nest more than {MAX_DEPTH} deep: flatten them")


def within_limits(value: Any, depth: int) -> bool:
    """Whether `value`, inside `depth` containers, nests MAX_DEPTH deep at most and has no integer over 64 bits."""
    kind = type(value)
    if kind is int:
        return bool(-(2**63) <= value < 2**64)
    if kind is dict:
        children = value.values()
    elif kind is list:
        children = value
    else:
        return True
    if depth >= MAX_DEPTH:
        return False
    for child in children:  # noqa: SIM110  (half the time of `all` with a generator, and on the hot path)
        if type(child) not in _FLAT and not within_limits(child, depth + 1):
            return False
    return True


def _integer(text: str) -> int:
    if len(text) > 20 or not within_limits(int(text), 0):
        raise Undecodable(f"the number {text[:24]} has more than 64 bits: write it as a string")
    return int(text)


def _float(text: str) -> float:
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.replace(".", "").strip("-0")
    number = float(text)
    if math.isinf(number) or (digits and not number) or len(digits) > _MOST_DIGITS:
        raise Undecodable(f"the number {text[:24]} is more than a double can hold: write it as a string")
    return number


def _constant(name: str) -> NoReturn:
    raise Undecodable(f"{name} is no JSON: write null, or a string")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # None: new
        raise Undecodable(f"the name {twice[:40]!r} stands twice in one object: keep one of them")
    return members


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant)
