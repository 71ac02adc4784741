"""Grafana Loki's push API (`/loki/api/v1/push`): a line for each event, all in one stream of few labels.

Which event and whose it is stands in the line, never in a label: each new combination of labels is a stream to Loki,
and it limits these. Where a batch stands in its chain is structured metadata, which is not indexed.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Raw, Struct

from auditcast.schemas.attributes import ms_of
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import (
    MAX_NUMBER_BYTES,
    TAKEN,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
    own_id,
)
from auditcast.schemas.formats.chained import MAX_CHAINED_BYTES, chained

_LABEL = r'[A-Za-z][A-Za-z0-9_]{0,63}=[^\s,="\\](?:[^,="\\\x00-\x1f\x7f]{0,126}[^\s,="\\])?'
_PREFIX = "audit_"
_MEMBERS = 6
_QUOTES = 2 * 3
"""Around numbers: metadata is text."""

_encode = msgspec.json.Encoder().encode


class _Stream(Struct, forbid_unknown_fields=True):
    stream: Raw
    values: list[Raw]


class _Push(Struct, forbid_unknown_fields=True):
    streams: tuple[_Stream]


class _Entry(Struct, array_like=True):
    """Metadata may follow."""

    time: str
    line: str


_push = msgspec.json.Decoder(_Push).decode
_entry = msgspec.json.Decoder(_Entry).decode


class _Rendering:
    content_type = "application/json"

    def __init__(self, labels: str, *, metadata: bool) -> None:
        named = dict(label.split("=", 1) for label in labels.split(","))
        self._head = _head(_encode(named))
        self._metadata = metadata
        self.envelope_bytes = len(self._head) + len(_TAIL)
        place = len(',{"audit_event":,}') + MAX_NUMBER_BYTES + MAX_CHAINED_BYTES + _MEMBERS * len(_PREFIX) + _QUOTES
        self.event_bytes = len(",]") + (place if metadata else 0)

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """An entry without its end: the time in nanoseconds, as text, and the event itself as the line."""
        return b'["%d",%b' % (ms_of(event.time) * 1_000_000, _encode(raw.decode()))

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """One stream of all entries."""
        chain = _encode({f"{_PREFIX}{name}": str(value) for name, value in chained(place).items()})[1:]
        entries = (
            b'%b,{"audit_event":"%d",%b]' % (entry, number, chain) if self._metadata else b"%b]" % entry
            for number, entry in enumerate(rendered, place.first_event)
        )
        return self._head + b",".join(entries) + _TAIL


_TAIL = b"]}]}"


def _head(labels: bytes) -> bytes:
    return b'{"streams":[{"stream":%b,"values":[' % labels


class Loki:
    """`loki/1`."""

    name = "loki/1"
    title = "Grafana Loki"
    max_events = 1000
    max_body_bytes = 900_000
    options = (
        Option(
            "labels",
            "labels of the stream, few and the same for all events",
            "service_name=auditcast",
            f"{_LABEL}(?:,{_LABEL}){{0,9}}",
            "service_name=atmos,env=prod",
        ),
        Option(
            "structured_metadata",
            "off for a Loki before 3.0, or one whose schema is older than v13: it refuses all events that have any",
            "on",
            "on|off",
            "off",
        ),
    )
    required_headers: Sequence[RequiredHeader] = ()
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each choice."""
        return _Rendering(chosen["labels"], metadata=chosen["structured_metadata"] == "on")

    def pieces(self, body: bytes) -> Pieces:
        """The entries of the one stream."""
        [stream] = _push(body).streams
        return Pieces(_head(bytes(stream.stream)), [bytes(value) for value in stream.values], b",", _TAIL)

    def event_id(self, piece: bytes) -> str:
        """That of the line, which is the event."""
        return own_id(_entry(piece).line)

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """204, or 200 of what speaks like Loki; 260 says that the tenant may not write.

        After a 400 some events may be stored, and nobody says which. All are sent again: Loki keeps what it has once,
        and whoever changes the limit that it names gets the rest.
        """
        return TAKEN if status in (200, 204) else None


FORMATS = (Loki(),)
