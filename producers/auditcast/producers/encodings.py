"""How an event lies in the log: CloudEvents JSON, or `AuditEvent` in Avro."""

from typing import Protocol

import msgspec

from auditcast.producers.channel import Headers
from auditcast.producers.settings import EncodingName
from auditcast.schemas.events import CloudEvent

STRUCTURED = b"application/cloudevents+json; charset=UTF-8"
"""The content type of the CloudEvents Kafka binding's structured mode."""


class Encoding(Protocol):
    """One way to write events."""

    headers: Headers

    def value(self, event: CloudEvent, raw: bytes) -> bytes:
        """The record's value for an event, whose minimal JSON is `raw`."""

    def id_of(self, value: bytes) -> str:
        """The id of the event in a value."""


def encoding_named(name: EncodingName) -> Encoding:
    """The encoding of that name."""
    if name == "json":
        return Json()
    from auditcast.producers.avro import Avro  # noqa: PLC0415  (only who emits Avro pays for loading fastavro)

    return Avro()


class _Identified(msgspec.Struct):
    id: str


_JSON_HEADERS: Headers = [("content-type", STRUCTURED)]
_identified = msgspec.json.Decoder(_Identified)


class Json:
    """The very bytes that a receiver will get."""

    headers = _JSON_HEADERS

    def value(self, event: CloudEvent, raw: bytes) -> bytes:
        """`raw` as it is."""
        return raw

    def id_of(self, value: bytes) -> str:
        """The id of the event in a value."""
        return _identified.decode(value).id
