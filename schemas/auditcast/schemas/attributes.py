"""The rules by which an event's CloudEvents attributes are made and read: source, type, time, permitted text."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from auditcast.schemas.errors import InvalidEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
# What CloudEvents 1.0.2 forbids in a string: C0 and C1 controls, DEL, lone surrogates, and Unicode's noncharacters.
_FORBIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef"
    + "".join(chr(plane << 16 | 0xFFFE) + chr(plane << 16 | 0xFFFF) for plane in range(17))
    + "]"
)
_MILLISECONDS = {f".{number:03d}Z": number for number in range(1000)}
_TIME_FORM = "write it as 2025-01-15T10:30:00.000Z"


@lru_cache(maxsize=16_384)
def source_of(base_url: str, workspace: str) -> str:
    """The `source` of a workspace's events: its URL."""
    try:
        return f"{base_url.rstrip('/')}/workspaces/{quote(workspace, safe='')}"
    except UnicodeEncodeError:
        raise InvalidEvent("workspace", "it holds a lone surrogate, which no UTF-8 text can") from None


def type_of(prefix: str, category: str, action: str) -> str:
    """The `type` of an event."""
    return f"{prefix}.{category}.{action}"


def time_text(ms: int) -> str:
    """Milliseconds since 1970 in UTC as `YYYY-MM-DDTHH:MM:SS.mmmZ`; raises `InvalidEvent` outside years 1 to 9999."""
    return f"{_text_of_second(ms // 1000)}.{ms % 1000:03d}Z"


def ms_of(text: str) -> int:
    """The inverse of `time_text`; raises `InvalidEvent` on any other form, and on a date that does not exist."""
    millisecond = _MILLISECONDS.get(text[19:])
    if millisecond is None:
        raise InvalidEvent("time", f"{text[:40]!r} is not in the form asked for: {_TIME_FORM}")
    return _second_of_text(text[:19]) * 1000 + millisecond


def normal_time(text: str) -> str:
    """Any RFC 3339 time, whatever its offset, as `time_text` has it; what is finer than a millisecond is cut off."""
    found = _RFC3339.fullmatch(text)
    if found is None:
        raise InvalidEvent("time", f"{text[:40]!r} is no RFC 3339 time: {_TIME_FORM}")
    date, clock, fraction, sign, hours, minutes = found.groups()
    offset = 60 * (60 * int(hours) + int(minutes)) if sign else 0
    second = _second_of_text(f"{date}T{clock}") + (offset if sign == "-" else -offset)
    return time_text(second * 1000 + int((fraction or "0")[:3].ljust(3, "0")))


def permitted(text: str) -> bool:
    """Whether CloudEvents lets an attribute have the value `text`: no control characters, no noncharacters."""
    return (text.isascii() and text.isprintable()) or _FORBIDDEN.search(text) is None


@lru_cache(maxsize=4096)
def _text_of_second(second: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=second)).isoformat()[:19]
    except OverflowError:
        raise InvalidEvent("time", f"{second} s since 1970 is outside the years 1 to 9999") from None


@lru_cache(maxsize=4096)
def _second_of_text(text: str) -> int:
    if _SECOND.fullmatch(text):
        with suppress(ValueError):
            return int((datetime.fromisoformat(f"{text}+00:00") - _EPOCH).total_seconds())
    raise InvalidEvent("time", f"{text!r} is no date and time that exists: {_TIME_FORM}")
