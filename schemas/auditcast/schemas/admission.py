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
    event = minimal(value)
    if event is not None:
        return event, value
    members = strict_json.parse(value)
    if not isinstance(members, dict):
        raise Undecodable("an event is a JSON object, one a record: send CloudEvents in structured or binary mode")
    return normal_form(members)


def minimal(value: bytes) -> CloudEvent | None:
    """The event in a record of structured mode, if `value` is in the minimal form and so may be joined as it is.

    This is done for every event, so it is one function. None stands for anything else, which `admit` looks at.
    """
    try:
        event = decode(value)
        if encode(event) != value:
            return None
        ms_of(event.time)
    except (ValueError, RecursionError, InvalidEvent):
        return None
    data = event.data
    if (
        (event.subject is UNSET and data.target is not None)
        # In a plain value no attribute can hold what CloudEvents forbids; most events are of this kind.
        or ((not value.isascii() or _BACKSLASH in value or _DELETE in value) and not _permits(event))
        or (data.metadata and not strict_json.within_limits(data.metadata, _METADATA_DEPTH))
        or len(value) > MAX_EVENT_BYTES
    ):
        return None
    return event


def _permits(event: CloudEvent) -> bool:
    subject = "" if event.subject is UNSET else event.subject
    organization = "" if event.organizationid is UNSET else event.organizationid
    return permitted(f"{event.id}{event.source}{event.type}{subject}{event.workspaceid}{organization}")
