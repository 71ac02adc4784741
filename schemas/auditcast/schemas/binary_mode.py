"""CloudEvents over Kafka, version 1.0.2 of the binding: which content mode a record is in, and the binary one read.

The headers are plain UTF-8: unlike in HTTP, nothing is percent-encoded.
"""

from collections.abc import Sequence
from typing import Any

from auditcast.schemas import strict_json
from auditcast.schemas.errors import InvalidEvent, Undecodable

Headers = Sequence[tuple[str, bytes | None]]

_PREFIX = "ce_"
_FORMAT = b"application/cloudevents"


def is_binary(headers: Headers) -> bool:
    """Whether the record's value is only the event's data; raises `Undecodable` for an event format other than JSON.

    A content-type of CloudEvents itself means structured mode, even where the attributes are headers as well.
    """
    binary = False
    for name, value in headers:
        if name == "content-type":
            media_type = (value or b"").partition(b";")[0].strip().lower()
            if media_type in (_FORMAT + b"+json", _FORMAT):
                return False
            if media_type.startswith(_FORMAT):
                shown = media_type[:60].decode("ascii", "backslashreplace")
                raise Undecodable(f"events of content-type {shown} are not taken: send {_FORMAT.decode()}+json")
        elif name == "ce_specversion":
            binary = True
    return binary


def members(value: bytes, headers: Headers) -> dict[str, Any]:
    """The event as the members of its JSON object; raises `Refused`."""
    found: dict[str, Any] = {"data": strict_json.parse(value)} if value else {}
    for header, content in headers:
        name = "datacontenttype" if header == "content-type" else header.removeprefix(_PREFIX)
        if name == header:
            continue  # no header of CloudEvents
        if name in found:
            raise InvalidEvent(header[:40], "this header stands twice, or beside its own meaning: send it once")
        if content is None:
            raise InvalidEvent(header[:40], "this header has no value: leave it out")
        try:
            found[name] = content.decode()
        except UnicodeDecodeError:
            raise InvalidEvent(header[:40], "this header is not UTF-8: encode it in UTF-8") from None
    return found
