"""Batches that came in parts, joined again as any receiver would, from the description in docs/verifying.md alone."""

import hashlib
import re
from array import array
from collections.abc import Mapping

from msgspec import Struct

from auditcast.console.demo.chains import Fault, Rejected, events_in

_OWN = {"x-audit-part", "x-audit-replay"}
_PART = re.compile(r"(\d+)-(\d+); parent=([0-9a-f]{64})", re.ASCII)
_EVENTS = re.compile(r"(\d+)-(\d+)", re.ASCII)


class Part(Struct, frozen=True):
    """A part: of which batch, which of its events, and the marks of their bytes. `batch` is what its parts share.

    `whole` has the numbers of the batch's events, `parent` the SHA-256 of its body.
    """

    stream: str
    sequence: int
    batch: tuple[str, ...]
    whole: tuple[int, int]
    first: int
    last: int
    parent: str
    contents: "array[int]"


def part_in(headers: Mapping[str, str], body: bytes) -> Part:
    """The part that a delivery claims to be, its events' numbers checked; raises `Rejected`."""
    part = _PART.fullmatch(headers["x-audit-part"])
    events = _EVENTS.fullmatch(headers.get("x-audit-events", ""))
    stream, sequence = headers.get("x-audit-stream", ""), headers.get("x-audit-sequence", "")
    if part is None or events is None or not sequence.isdecimal():
        raise Rejected(400, Fault.MALFORMED)
    first, last, whole = int(part[1]), int(part[2]), (int(events[1]), int(events[2]))
    # Of all this only the id is signed.
    named = headers.get("webhook-id") == f"{stream}-{sequence}-{first}-{last}"
    if not named or not whole[0] <= first <= last <= whole[1]:
        raise Rejected(400, Fault.MALFORMED)
    _, contents = events_in(body, first, last)
    chained = tuple(
        value for name, value in sorted(headers.items()) if name.startswith("x-audit-") and name not in _OWN
    )
    return Part(stream, int(sequence), (*chained, part[3]), whole, first, last, part[3], contents)


class Parts:
    """Bodies of parts whose batch is not complete yet, and the digests of those that were joined."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, ...], dict[int, tuple[int, bytes]]] = {}
        self._digests: dict[tuple[str, int], str] = {}
        self._spans: dict[tuple[str, int], set[tuple[int, int]]] = {}

    def add(self, part: Part, body: bytes) -> bytes | None:
        """Keep a part; gives the batch's body once there is no hole in it. Raises `Rejected` if it is another body."""
        self._spans.setdefault((part.stream, part.sequence), set()).add((part.first, part.last))
        parts = self._waiting.setdefault(part.batch, {})
        # Parts lie one within the other or apart, so at each number the longest leads furthest.
        if part.last > parts.get(part.first, (0, b""))[0]:
            parts[part.first] = (part.last, body)
        first, last = part.whole
        inner = []
        while first <= last:
            if first not in parts:
                return None
            end, piece = parts[first]
            inner.append(piece[1:-1])
            first = end + 1
        whole = b"[" + b",".join(inner) + b"]"
        if hashlib.sha256(whole).hexdigest() != part.parent:
            raise Rejected(422, Fault.ALTERED)
        return whole

    def joined(self, part: Part, digest: str) -> None:
        """The batch of `part` is complete, and in the chain with `digest`."""
        del self._waiting[part.batch]
        del self._spans[part.stream, part.sequence]
        self._digests[part.stream, part.sequence] = digest

    def spans(self, stream: str, sequence: int) -> set[tuple[int, int]]:
        """The first and last events of the parts that are there of a batch that is not complete."""
        return self._spans.get((stream, sequence), set())

    def digest(self, stream: str, sequence: int) -> str | None:
        """The digest of a batch that came in parts."""
        return self._digests.get((stream, sequence))
