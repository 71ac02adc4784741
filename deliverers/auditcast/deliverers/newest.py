"""The revision that counts of each destination, whichever the topic holds last. Pure.

A verdict of the system (a 410, a pause) may be appended just after a change by a person that its author had not seen.
It is void then, but it lies over that change, and compaction would leave nothing else.
"""

from msgspec import Struct

from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Revision
from auditcast.schemas.wire import decode_as


class _Known(Struct):
    order: tuple[int, str]
    highest: bytes
    last: bytes


class Newest:
    """Fed with the records of `audit.destinations`, in the order of each partition; may be read from any thread."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def take(self, key: bytes, value: bytes | None) -> bytes | None:
        """The topic's next record; gives the value to append again if this one lies over a higher revision."""
        known = self._known.get(key)
        if value is None:
            self._known.pop(key, None)
            return None
        try:
            order = decode_as(Revision, value).order
        except Undecodable:
            # Perhaps of a later version. Whoever needs it will say so.
            order = (0, "")
            known = None
        if known is None or order >= known.order:
            self._known[key] = _Known(order, value, value)
            return None
        known.last = value
        return known.highest

    def get(self, key: bytes) -> bytes | None:
        """The highest revision of a destination."""
        known = self._known.get(key)
        return known.highest if known else None

    def covered(self) -> list[tuple[bytes, bytes]]:
        """Keys and values to append again, as of all records so far."""
        return [(key, known.highest) for key, known in list(self._known.items()) if known.last != known.highest]
