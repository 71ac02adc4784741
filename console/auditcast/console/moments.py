"""Times as people write them."""

import re
from datetime import UTC, datetime

from auditcast.schemas.attributes import time_text
from auditcast.schemas.errors import AuditcastError

_AGO = re.compile(r"(\d{1,6}) ?(s|m|h|d)")
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
FORMS = "write it as 2025-01-15T10:30:00Z, 2025-01-15, or as an age: 30m, 12h, 7d"


class NoMoment(AuditcastError):
    """A text that says no time."""


def duration(text: str) -> int:
    """The length of time in ms that `text` says; raises `NoMoment`."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise NoMoment(f"{text[:40]!r} says no length of time: write it as 30m, 12h or 7d")
    return int(found[1]) * _UNITS_MS[found[2]]


def moment(text: str, now: int) -> int:
    """The time in ms since 1970 that `text` says, `now` being that too; without a zone it is UTC. Raises `NoMoment`."""
    ago = _AGO.fullmatch(text.strip())
    if ago:
        return max(0, now - int(ago[1]) * _UNITS_MS[ago[2]])
    try:
        told = datetime.fromisoformat(text.strip())
        zoned = told if told.tzinfo else told.replace(tzinfo=UTC)
        return max(0, int(zoned.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise NoMoment(f"{text[:40]!r} says no time: {FORMS}") from None


def age(text: str) -> int:
    """The duration in ms that `text` says, as in `30m`; raises `NoMoment`."""
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise NoMoment(f"{text[:40]!r} says no duration: write it as 45s, 30m, 12h or 7d")
    return int(found[1]) * _UNITS_MS[found[2]]


def second_text(ms: int) -> str:
    """A time for people, to the second, in UTC."""
    return time_text(ms)[:19].replace("T", " ") + "Z"
