"""The chain as a receiver knows it: reading a delivery's claim, checking its digest, holding batches in order.

Written from the description of the chain alone, as any receiver would, and not with the pipeline's own code. Bodies
are not kept: 16 bytes for each event, about 200 for each batch.
"""

import hashlib
import re
from array import array
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

FIRST_PREVIOUS = "0" * 64
"""The previous digest of a stream's first batch."""

_GAP = re.compile(r"-|\d+-\d+")


class Fault(StrEnum):
    """What can be wrong with a delivery."""

    SIGNATURE = "bad signature"
    MALFORMED = "malformed"
    ALTERED = "altered"
    NUMBERING = "events misnumbered"
    DIFFERS = "duplicate that differs"
    CHAIN = "chain break"
    OUT_OF_ORDER = "out of order"


class Rejected(Exception):
    """A delivery that a receiver does not take. `status` is the HTTP answer."""

    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(fault)
        self.status = status
        self.fault = fault


class Entry(Struct, frozen=True):
    """One batch of a stream as received; `ids` and `contents` hold the mark of each event's id and of its bytes."""

    sequence: int
    first: int
    last: int
    previous: str
    digest: str
    ids: "array[int]"
    contents: "array[int]"


class _Numbered(Struct, frozen=True):
    id: str
    sequence: str


_events = msgspec.json.Decoder(list[msgspec.Raw]).decode
_numbered = msgspec.json.Decoder(_Numbered).decode


def mark(data: bytes) -> int:
    """64 bits that stand for `data` where many are kept."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")


class Chain:
    """The batches of one stream: a verified beginning, and what has arrived ahead of a hole."""

    def __init__(self) -> None:
        self.sequence = 0
        self.last_event = 0
        self.digest = FIRST_PREVIOUS
        self._ids = array("Q")
        self._contents = array("Q")
        self._ahead: dict[int, Entry] = {}

    def holds(self, sequence: int) -> bool:
        """Whether a batch of this number has been taken."""
        return sequence <= self.sequence or sequence in self._ahead

    def add(self, entry: Entry) -> list[Fault]:
        """Take a batch whose number is new; gives each fault found, also in those that it releases."""
        faults = []
        if self._ahead and entry.sequence < max(self._ahead):
            faults.append(Fault.OUT_OF_ORDER)
        self._ahead[entry.sequence] = entry
        while (following := self._ahead.pop(self.sequence + 1, None)) is not None:
            if following.previous != self.digest:
                faults.append(Fault.CHAIN)
            if following.first != self.last_event + 1:
                faults.append(Fault.NUMBERING)
            self.sequence = following.sequence
            self.last_event = following.last
            self.digest = following.digest
            self._ids.extend(following.ids)
            self._contents.extend(following.contents)
        return faults

    def same(self, first: int, contents: "array[int]") -> bool:
        """Whether the events numbered from `first` on are known, with these bytes."""
        last = first + len(contents) - 1
        for entry in self._ahead.values():
            if entry.first <= first and last <= entry.last:
                return entry.contents[first - entry.first : last + 1 - entry.first] == contents
        return self._contents[first - 1 : last] == contents

    @property
    def missing(self) -> int:
        """Batches not here although a later one is."""
        return max(self._ahead) - self.sequence - len(self._ahead) if self._ahead else 0

    @property
    def events(self) -> "tuple[array[int], array[int]]":
        """The marks of all events taken, of their ids and of their bytes, in the stream's order."""
        ids, contents = self._ids[:], self._contents[:]
        for _, entry in sorted(self._ahead.items()):
            ids.extend(entry.ids)
            contents.extend(entry.contents)
        return ids, contents


def read(headers: Mapping[str, str], body: bytes) -> tuple[str, Entry]:
    """The stream and the batch that a delivery claims to be, its digest and its events' numbers checked.

    `headers` in lower case, `body` uncompressed; raises `Rejected`.
    """
    try:
        stream, gap = headers["x-audit-stream"], headers["x-audit-gap"]
        sequence, opened = int(headers["x-audit-sequence"]), int(headers["x-audit-opened"])
        first, last = (int(number) for number in headers["x-audit-events"].split("-"))
        previous, digest = headers["x-audit-previous-digest"], headers["x-audit-digest"]
    except (KeyError, ValueError):
        raise Rejected(400, Fault.MALFORMED) from None
    if not stream or sequence < 1 or _GAP.fullmatch(gap) is None:
        raise Rejected(400, Fault.MALFORMED)
    text = (
        f"auditcast-chain-v1\n{stream}\n{sequence}\n{first}-{last}\n{opened}\n{headers.get('x-audit-format')}\n"
        f"{hashlib.sha256(body).hexdigest()}\n{gap}\n{previous}\n"
    )
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise Rejected(422, Fault.ALTERED)
    ids, contents = events_in(body, first, last)
    return stream, Entry(sequence, first, last, previous, digest, ids, contents)


def events_in(body: bytes, first: int, last: int) -> "tuple[array[int], array[int]]":
    """The marks of the events in `body`, of their ids and of their bytes; raises `Rejected` unless they are these."""
    try:
        events = _events(body)
        numbered = [_numbered(event) for event in events]
        numbers = [int(event.sequence) for event in numbered]
    except (ValueError, msgspec.MsgspecError):
        raise Rejected(400, Fault.MALFORMED) from None
    if not events or numbers != list(range(first, last + 1)):
        raise Rejected(422, Fault.NUMBERING)
    ids = array("Q", (mark(event.id.encode()) for event in numbered))
    contents = array("Q", (mark(_unnumbered(bytes(event), n)) for event, n in zip(events, numbers, strict=True)))
    return ids, contents


def _unnumbered(event: bytes, number: int) -> bytes:
    """The event as it lay in the log, before it got its number and, since cloudevents/2, its place in the chain."""
    return event[: event.rfind(b',"sequence":"%020d"' % number)] + b"}"
