"""OCSF, the Open Cybersecurity Schema Framework, in an array of events: for lakes and SIEMs that read it natively.

The event itself is in `raw_data`, so that nothing is lost in the mapping (ocsf_mapping.py).
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import (
    MAX_NUMBER_BYTES,
    TAKEN,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
    array_pieces,
)
from auditcast.schemas.formats.chained import MAX_CHAINED_BYTES, chained
from auditcast.schemas.formats.ocsf_mapping import mapped

_NAME = r"(?:[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?)?"
_encode = msgspec.json.Encoder().encode


class _Metadata(Struct):
    uid: str


class _Mapped(Struct):
    metadata: _Metadata


_mapped = msgspec.json.Decoder(_Mapped).decode


class _Rendering:
    content_type = "application/json"
    envelope_bytes = 2
    event_bytes = len(',,"audit":{"event":,}},"metadata":,"sequence":}}') + 2 * MAX_NUMBER_BYTES + MAX_CHAINED_BYTES

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._product, self._vendor = chosen["product"], chosen["vendor"]

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """The members, `unmapped` last and open at its end; behind a line feed, which JSON has none of, `metadata`."""
        members, metadata = mapped(event, raw, self._product, self._vendor)
        return b"%b\n%b" % (_encode(members)[:-2], _encode(metadata)[:-1])

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """A JSON array; the number is the sequence in the metadata, the place is put among what is not mapped."""
        chain = _encode(chained(place))[1:]
        return b"[%b]" % b",".join(
            b'%b,"audit":{"event":%d,%b},"metadata":%b,"sequence":%d}}' % (members, number, chain, metadata, number)
            for number, event in enumerate(rendered, place.first_event)
            for members, _, metadata in (event.partition(b"\n"),)
        )


class Ocsf:
    """`ocsf/1`."""

    name = "ocsf/1"
    title = "any receiver of OCSF 1.8.0"
    max_events = 1000
    max_body_bytes = 900_000
    options = (
        Option("product", "metadata.product.name; empty for the host of the event's source", "", _NAME, "Atmos Pro"),
        Option("vendor", "metadata.product.vendor_name; empty for the product's name", "", _NAME, "Cloud Posse"),
    )
    required_headers: Sequence[RequiredHeader] = ()
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each choice."""
        return _Rendering(chosen)

    def pieces(self, body: bytes) -> Pieces:
        """The array's items."""
        return array_pieces(body)

    def event_id(self, piece: bytes) -> str:
        """The event's `uid` in its metadata."""
        return _mapped(piece).metadata.uid

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """Any 2xx."""
        return TAKEN if 200 <= status < 300 else None


FORMATS = (Ocsf(),)
