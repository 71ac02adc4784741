"""How an event lies in the log: CloudEvents JSON, or `AuditEvent` in Avro. Only who emits Avro loads fastavro."""

from collections.abc import Callable

import msgspec

from auditcast.producers.channel import Headers
from auditcast.producers.settings import EncodingName
from auditcast.schemas.errors import EventTooLarge
from auditcast.schemas.events import MAX_EVENT_BYTES, decode

STRUCTURED = b"application/cloudevents+json; charset=UTF-8"
"""The content type of the CloudEvents Kafka binding's structured mode."""

JSON_HEADERS: Headers = [("content-type", STRUCTURED)]
AVRO_HEADERS: Headers = []  # the bytes themselves say what they are

ToValue = Callable[[bytes], bytes]
"""The record's value for an event, given in the minimal JSON; raises `EventTooLarge`."""


class _Identified(msgspec.Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified)


def encoding_named(name: EncodingName) -> tuple[ToValue, Headers]:
    """How to make values, and the headers beside them."""
    return (_json, JSON_HEADERS) if name == "json" else (_avro(), AVRO_HEADERS)


def id_of(value: bytes) -> str:
    """The id of the event in a value."""
    if value.startswith(b"{"):
        return _identified.decode(value).id
    from auditcast.schemas import records, wire  # noqa: PLC0415  (see above)

    return wire.decode_as(records.AuditEvent, value).id


def _json(raw: bytes) -> bytes:
    return raw


def _avro() -> ToValue:
    from auditcast.schemas import wire  # noqa: PLC0415  (see above)
    from auditcast.schemas.avro_events import from_cloudevent  # noqa: PLC0415  (see above)

    def to_value(raw: bytes) -> bytes:
        value = wire.encode(from_cloudevent(decode(raw)))
        if len(value) > MAX_EVENT_BYTES:
            raise EventTooLarge(len(value), MAX_EVENT_BYTES)
        return value

    return to_value
