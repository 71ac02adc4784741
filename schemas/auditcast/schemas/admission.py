"""The door of the pipeline: which JSON events come in, and as which bytes.

One bad event must not spoil a batch. So an event may be joined as it is only if it is in the minimal form, which is
proved by decoding it and encoding it again; any other is read strictly and written anew.
"""

from msgspec import UNSET

from auditcast.schemas import binary_mode, strict_json
from auditcast.schemas.attributes import ms_of, permitted
from auditcast.schemas.binary_mode import Headers
from auditcast.schemas.errors import EventTooLarge, InvalidEvent, Undecodable
from auditcast.schemas.events import MAX_EVENT_BYTES, CloudEvent, decode, encode
from auditcast.schemas.normal_form import normal_form

_BACKSLASH, _DELETE = b"\\\x7f"
_METADATA_DEPTH = 2
"""How many objects stand around `metadata`."""


def admit(value: bytes, headers: Headers | None = None) -> tuple[CloudEvent, bytes]:
    """The event in a record, structured or binary mode, and the bytes that may be joined into a body.

    The bytes are valid for every JSON parser, and admitting them again gives the same ones. Raises `Refused`.
    """
    if len(value) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(value), MAX_EVENT_BYTES)
    if headers and binary_mode.is_binary(headers):
        return normal_form(binary_mode.members(value, headers))
    try:
        event = decode(value)
        if encode(event) == value and _sound(event, value):
            return event, value
    except (ValueError, RecursionError, InvalidEvent):
        pass  # the strict way will say what is wrong
    members = strict_json.parse(value)
    if not isinstance(members, dict):
        raise Undecodable("an event is a JSON object, one a record: send CloudEvents in structured or binary mode")
    return normal_form(members)


def _sound(event: CloudEvent, value: bytes) -> bool:
    """What the minimal form must keep to and the types do not hold; False, or an error, sends it the strict way."""
    ms_of(event.time)
    data = event.data
    metadata = data.metadata
    return (
        (event.subject is not UNSET or data.target is None)
        # In a plain value no attribute can hold what CloudEvents forbids; most events are of this kind.
        and ((value.isascii() and _BACKSLASH not in value and _DELETE not in value) or _permits(event))
        and (not metadata or strict_json.within_limits(metadata, _METADATA_DEPTH))
    )


def _permits(event: CloudEvent) -> bool:
    subject = "" if event.subject is UNSET else event.subject
    organization = "" if event.organizationid is UNSET else event.organizationid
    return permitted(f"{event.id}{event.source}{event.type}{subject}{event.workspaceid}{organization}")
