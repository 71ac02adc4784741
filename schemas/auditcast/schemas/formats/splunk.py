"""Splunk HTTP Event Collector (`/services/collector/event`): events as they are, and their places as indexed fields.

Envelopes follow one another without an array. One that holds a name that the collector does not know is answered with
200 while all that comes after it is lost, so none is ever put there.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct, field

from auditcast.schemas.attributes import ms_of
from auditcast.schemas.chain import NO_GAP
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

_WORD = r"(?:[!-~](?:[ -~]{0,254}[!-~])?)?"
_METADATA = ("host", "source", "sourcetype", "index")
_PREFIX = "audit_"
_MEMBERS = 6

BAD_DATA = frozenset({5, 6, 12, 13, 15})
"""Codes that are about one event's bytes; all others are about the token, the settings or the state of the server."""

_encode = msgspec.json.Encoder().encode
_envelope = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Answer(Struct):
    code: int
    first_bad: int | None = field(name="invalid-event-number", default=None)


_answer = msgspec.json.Decoder(_Answer).decode


class _Rendering:
    content_type = "application/json"
    envelope_bytes = 0
    event_bytes = len('\n,"fields":{"audit_event":,}}') + MAX_NUMBER_BYTES + MAX_CHAINED_BYTES + _MEMBERS * len(_PREFIX)

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._metadata = _encode({name: chosen[name] for name in _METADATA if chosen[name]})[1:-1]

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """An envelope without its end; Splunk's time is in seconds, with milliseconds behind the point."""
        metadata = self._metadata and self._metadata + b","
        return b'{"time":%.3f,%b"event":%b' % (ms_of(event.time) / 1000, metadata, raw)

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """An envelope a line: the collector allows space between them, and people can read it."""
        chain = _encode({f"{_PREFIX}{name}": value for name, value in chained(place).items()})[1:]
        return b"\n".join(
            b'%b,"fields":{"audit_event":%d,%b}' % (event, number, chain)
            for number, event in enumerate(rendered, place.first_event)
        )


def restored(event: bytes, metadata: Mapping[str, str], fields: Mapping[str, str | int]) -> bytes:
    """The piece of a body that an event was stored from: its `_raw`, its host, source and so on, its indexed fields.

    `metadata` holds what was sent alone, so `index` only where the destination names one; fields may have become text.
    Raises `KeyError`, `TypeError` or `ValueError` for what was never an event of this format.
    """
    rendering = _Rendering({name: metadata.get(name, "") for name in _METADATA})
    place = Place(
        stream=str(fields["audit_stream"]),
        sequence=int(fields["audit_batch"]),
        first_event=int(fields["audit_event"]),
        opened=int(fields["audit_opened"]),
        gap=str(fields.get("audit_gap", NO_GAP)),
        previous_digest=str(fields["audit_previous"]),
    )
    return rendering.join([rendering.render(msgspec.json.decode(event, type=CloudEvent), event)], place)


class Splunk:
    """`splunk/1`."""

    name = "splunk/1"
    title = "Splunk HTTP Event Collector"
    max_events = 1000
    max_body_bytes = 900_000
    options = (
        Option("source", "the event's source", "auditcast", _WORD, "atmos-pro"),
        Option("sourcetype", "the event's source type", "auditcast:audit", _WORD, "_json"),
        Option("host", "the event's host", "auditcast", _WORD, "atmos-pro.com"),
        Option("index", "the index; empty for the token's own", "", "(?:[a-z0-9_][a-z0-9_-]{0,79})?", "audit"),
    )
    required_headers = (RequiredHeader("Authorization", "Authorization: Splunk 12345678-1234-1234-1234-1234567890ab"),)
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each choice."""
        return _Rendering(chosen)

    def pieces(self, body: bytes) -> Pieces:
        """The lines."""
        lines = body.split(b"\n")
        if any("event" not in _envelope(line) for line in lines):
            raise ValueError("a line is no envelope of an event")
        return Pieces(b"", lines, b"\n", b"")

    def event_id(self, piece: bytes) -> str:
        """That of the event in the envelope."""
        return own_id(_envelope(piece).get("event", msgspec.Raw()))

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """A 200 with code 0; a 400 about one event: those before it are indexed, those behind it were not read."""
        try:
            said = _answer(answer)
        except (ValueError, RecursionError):
            return None
        if status == 200:
            return TAKEN if said.code == 0 else None
        bad = said.first_bad
        if status != 400 or said.code not in BAD_DATA or bad is None or not 0 <= bad < events:
            return None
        detail = f"Splunk cannot read event {bad + 1} of {events} (code {said.code})"
        if bad + 1 == events:
            return Judgement((), ((bad, bad),), detail)
        return Judgement(((bad + 1, events - 1),), ((bad, bad),), detail, unread=bad + 1)


FORMATS = (Splunk(),)
