"""The header `Retry-After`, as receivers write it. Pure."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST = 64
"""Characters of the longest value that is looked at; a date has 29."""

_SECONDS = re.compile(r"\d+(\.\d+)?", re.ASCII)


def seconds(value: str | None, now: float) -> float | None:
    """How long to wait from `now` (seconds since 1970) on; None if the value asks for nothing that can be understood.

    A time that has passed is 0. `12.5`, which the standard does not have, is taken at its word; `-5` is not.
    """
    value = (value or "").strip()
    if not value or len(value) > LONGEST:
        return None
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        # RFC 9110 knows no other zone; a date without one means this.
        at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return max(at - now, 0.0)
