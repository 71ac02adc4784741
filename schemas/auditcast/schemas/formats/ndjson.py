"""One event a line: Sumo Logic's HTTP sources, and any intake of JSON lines.

Limits and answers: www.sumologic.com/help/docs/send-data/hosted-collectors/http-source (100 KB to 1 MB a request, 200).
Its `X-Sumo-Name`, `-Host`, `-Category` and `-Fields` are custom headers.
"""

from collections.abc import Mapping, Sequence

from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import TAKEN, Judgement, Option, Pieces, Place, RequiredHeader, own_id
from auditcast.schemas.formats.cloudevents import PLACED

CONTENT_TYPES = {"ndjson": "application/x-ndjson", "json": "application/json", "text": "text/plain; charset=utf-8"}
"""The first is the usual name; some intakes know only one of the others."""

_BREAKS = {"\u0085": b"\\u0085", "\u2028": b"\\u2028", "\u2029": b"\\u2029"}
"""Characters at which some readers end a line, and which JSON does not make anybody escape."""

_ESCAPES = [(character.encode(), escape) for character, escape in _BREAKS.items()]


class _Rendering:
    envelope_bytes = 0
    event_bytes = PLACED.event_bytes

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """The event itself, without a character that anybody may take for the end of the line."""
        if not raw.isascii():
            for character, escape in _ESCAPES:
                raw = raw.replace(character, escape)
        return raw

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """The events of `cloudevents/2`, each ended by a line feed."""
        return b"\n".join(PLACED.placed(rendered, place)) + b"\n"


class Ndjson:
    """`ndjson/1`."""

    name = "ndjson/1"
    title = "Sumo Logic, or any receiver of JSON lines"
    max_events = 100
    max_body_bytes = 900_000
    options = (
        Option(
            name="content_type",
            description="ndjson for application/x-ndjson, json for application/json, text for text/plain",
            default="ndjson",
            pattern="ndjson|json|text",
            example="text",
        ),
    )
    required_headers: Sequence[RequiredHeader] = ()
    # Sumo Logic has no other credential. A generic receiver's URL may be none, and is kept as one all the same: the
    # price is that people see only its host; a URL shown by mistake could not be called back.
    secret_url = True
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """Bytes do not depend on the content type."""
        return _Rendering(CONTENT_TYPES[chosen["content_type"]])

    def pieces(self, body: bytes) -> Pieces:
        """The lines."""
        if not body.endswith(b"\n"):
            raise ValueError("the last line is not ended")
        return Pieces(b"", body[:-1].split(b"\n"), b"\n", b"\n")

    def event_id(self, piece: bytes) -> str:
        """The CloudEvent's own."""
        return own_id(piece)

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """Any 2xx."""
        return TAKEN if 200 <= status < 300 else None


FORMATS = (Ndjson(),)
