"""CloudEvents 1.0, JSON batch format: the events as they lie in the log, each with its number in the stream.

`cloudevents/2` says in each event, too, where its batch stands in the chain, for receivers that keep no headers.
"""

from collections.abc import Mapping, Sequence

from auditcast.schemas.chain import GENESIS, NO_GAP
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import (
    MAX_NUMBER_BYTES,
    MAX_STREAM_BYTES,
    TAKEN,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
    array_pieces,
    own_id,
)

CONTENT_TYPES = {"json": "application/json", "batch": "application/cloudevents-batch+json; charset=UTF-8"}
"""Many intakes know only the first; the second is CloudEvents' own name for the very same bytes."""

MAX_GAP_BYTES = 2 * MAX_NUMBER_BYTES + 1


class _Rendering:
    """Either version; `event_bytes` is all that a version needs to promise beside `_tail`."""

    envelope_bytes = 2

    def __init__(self, content_type: str, event_bytes: int) -> None:
        self.content_type = content_type
        self.event_bytes = event_bytes

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """The event itself: what is in the log is what is sent."""
        return raw

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """A JSON array."""
        return b"[" + b",".join(self.placed(rendered, place)) + b"]"

    def placed(self, rendered: Sequence[bytes], place: Place) -> list[bytes]:
        """Each event by itself; number and place are spliced in before its closing brace."""
        tail = self._tail(place)
        first = place.first_event
        return [b'%b,"sequence":"%020d"%b' % (event[:-1], number, tail) for number, event in enumerate(rendered, first)]

    def _tail(self, place: Place) -> bytes:
        return b"}"


class _PlacedRendering(_Rendering):
    def _tail(self, place: Place) -> bytes:
        gap = "" if place.gap == NO_GAP else f',"auditgap":"{place.gap}"'
        return (
            f',"auditstream":"{place.stream}","auditbatch":{place.sequence},"auditopened":"{place.opened}"{gap}'
            f',"auditprevious":"{place.previous_digest}"}}'
        ).encode()


_NUMBER = len(',"sequence":"00000000000000000000"') + 1
_NOWHERE = Place(stream="", sequence=0, first_event=0, opened=0, gap="", previous_digest=GENESIS)
_PLACE = len(_PlacedRendering("", 0)._tail(_NOWHERE)) + MAX_STREAM_BYTES + 2 * MAX_NUMBER_BYTES + MAX_GAP_BYTES
_VERSIONS: Mapping[str, tuple[type[_Rendering], int]] = {
    "cloudevents/1": (_Rendering, _NUMBER),
    "cloudevents/2": (_PlacedRendering, _NUMBER + _PLACE),
}


class CloudEvents:
    """`cloudevents/1` or `/2`. The `sequence` extension is zero-padded to 20 digits, so that it sorts as text."""

    title = "any receiver of CloudEvents"
    max_events = 100
    max_body_bytes = 900_000
    options = (
        Option(
            name="content_type",
            description="json for application/json, batch for application/cloudevents-batch+json",
            default="json",
            pattern="json|batch",
            example="batch",
        ),
    )
    required_headers: Sequence[RequiredHeader] = ()
    secret_url = False
    gzip = True

    def __init__(self, name: str) -> None:
        self.name = name

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """Bytes do not depend on the content type."""
        kind, event_bytes = _VERSIONS[self.name]
        return kind(CONTENT_TYPES[chosen["content_type"]], event_bytes)

    def pieces(self, body: bytes) -> Pieces:
        """The array's items as they are."""
        return array_pieces(body)

    def event_id(self, piece: bytes) -> str:
        """The CloudEvent's own."""
        return own_id(piece)

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """Any 2xx."""
        return TAKEN if 200 <= status < 300 else None


FORMATS = (CloudEvents("cloudevents/1"), CloudEvents("cloudevents/2"))

PLACED = CloudEvents("cloudevents/2").rendering({"content_type": "json"})
"""What `cloudevents/2` makes of single events, for formats that join them in another way."""
