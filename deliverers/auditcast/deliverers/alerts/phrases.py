"""How values are said in an email. Pure; whatever comes from outside passes `clean` before a person sees it."""

import unicodedata
from datetime import UTC, datetime

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))

_LAST_MS = 253_402_300_799_000
"""The end of the year 9999."""


def clean(text: str, most: int) -> str:
    """`text` on one line of at most `most` characters, without any that are not seen or turn the others round."""
    visible = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    words = " ".join(visible.split())
    return words if len(words) <= most else f"{words[: most - 1].rstrip()}…"


def when(at: int) -> str:
    """A time in ms: `21 Nov 2026, 09:12 UTC`."""
    time = _time(at)
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def shortly(at: int) -> str:
    """The same for a subject: `21 Nov 09:12 UTC`."""
    time = _time(at)
    return f"{time.day} {time:%b %H:%M} UTC"


def _time(at: int) -> datetime:
    """The nearest time that can be told, whatever somebody wrote to a topic."""
    return datetime.fromtimestamp(min(max(at, 0), _LAST_MS) / 1000, UTC)


def lasting(ms: int) -> str:
    """A time span in its two largest units: `4 h 43 min`."""
    rest = max(ms, 0) // 1000
    parts = []
    for unit, seconds in _UNITS:
        number, rest = divmod(rest, seconds)
        parts.append((number, unit))
    first = next((place for place, (number, _) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


def ago(at: int, now: int) -> str:
    """A time in the past, and how far: `21 Nov 2026, 09:12 UTC (4 h 43 min ago)`."""
    return f"{when(at)} ({lasting(now - at)} ago)"


def count(number: int, one: str, many: str = "") -> str:
    """`1 batch`, `12,000 batches`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def batches(number: int) -> str:
    """So many batches."""
    return count(number, "batch", "batches")
