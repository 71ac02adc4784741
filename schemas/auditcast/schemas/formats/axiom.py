"""Axiom's ingest API (`/v1/datasets/NAME/ingest`, or an edge's `/v1/ingest/NAME`): CloudEvents, each with its `_time`.

Axiom reads an event's time from `_time`, or from the field that `?timestamp-field=` in the URL names; without either
it takes the time of arrival, and says nothing. A URL is easily typed without it, so `_time` is in the events.
Limits and answers: axiom.co/docs/reference/limits, axiom.co/docs/restapi/endpoints/ingestIntoDataset.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import (
    TAKEN,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
    array_pieces,
    own_id,
)
from auditcast.schemas.formats.cloudevents import PLACED

_Count = Annotated[int, Meta(ge=0)]


class _Ingested(Struct):
    ingested: _Count
    failed: _Count


_ingested = msgspec.json.Decoder(_Ingested).decode


class _Rendering:
    content_type = "application/json"
    envelope_bytes = PLACED.envelope_bytes
    event_bytes = PLACED.event_bytes

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """The event itself, and `_time` as its last member."""
        return b'%b,"_time":"%b"}' % (raw[:-1], event.time.encode())

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """As `cloudevents/2` has it."""
        return PLACED.join(rendered, place)


class Axiom:
    """`axiom/1`."""

    name = "axiom/1"
    title = "Axiom"
    max_events = 10_000
    max_body_bytes = 900_000
    options: Sequence[Option] = ()
    required_headers = (RequiredHeader("Authorization", "Authorization: Bearer YOUR_API_TOKEN"),)
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """There is only one."""
        return _Rendering()

    def pieces(self, body: bytes) -> Pieces:
        """The array's items."""
        return array_pieces(body)

    def event_id(self, piece: bytes) -> str:
        """The CloudEvent's own."""
        return own_id(piece)

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """200 and `"failed": 0`, with every event counted.

        Of some that failed Axiom tells the times and errors, not which they are. So all are sent again, on schedule,
        and what was taken comes again by that, under the same `id` and `sequence`.
        """
        if status != 200:
            return None
        try:
            told = _ingested(answer)
        except (ValueError, RecursionError):
            return None
        if told.ingested + told.failed != events:
            return None
        if not told.failed:
            return TAKEN
        detail = f"Axiom did not ingest {told.failed} of {events} events, and does not say which"
        return Judgement(again=((0, events - 1),), detail=detail)


FORMATS = (Axiom(),)
