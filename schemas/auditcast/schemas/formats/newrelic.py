"""New Relic's Log API: one log for each event, its content as flat attributes.

Limits and answers: docs.newrelic.com/docs/logs/log-api (1 MB, 202) and …/log-event-data (255 attributes, names of 255
characters, no arrays; of a value the first 4,094 characters are searched, and what is beyond 128 KB is cut off).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from auditcast.schemas.attributes import ms_of
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import (
    MAX_NUMBER_BYTES,
    TAKEN,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
)
from auditcast.schemas.formats.chained import MAX_CHAINED_BYTES, chained
from auditcast.schemas.formats.content import content, message_of

MAX_NAME = 255
MAX_VALUE = 32_000
"""Characters of one value: in any script fewer bytes than 128 KB. The rest goes on in attributes of its own."""

MOST_METADATA = 100
MOST_MEMBERS = 20
"""Of any other object. With these no event has 255 attributes, common ones included; what has more is JSON text."""

_encode = msgspec.json.Encoder().encode


class _Batch(Struct):
    common: msgspec.Raw
    logs: list[msgspec.Raw]


class _Attributes(Struct):
    event_id: str = field(name="event.id")


class _Log(Struct):
    attributes: _Attributes


_batch = msgspec.json.Decoder(tuple[_Batch]).decode
_log = msgspec.json.Decoder(_Log).decode


class _Rendering:
    content_type = "application/json"
    event_bytes = len(',,"audit.event":}}') + MAX_NUMBER_BYTES

    def __init__(self, service: str) -> None:
        self._common = {"service.name": service, "logtype": "auditcast"}
        names = len(_encode(self._common)) + 5 * len('"audit."')
        self.envelope_bytes = len('[{"common":{"attributes":},"logs":[]}]') + names + MAX_CHAINED_BYTES

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """A log, its attributes last."""
        found = content(raw)
        found.pop("description", None)  # it is the message
        about = {
            "level": "info" if event.data.outcome == "success" else "error",
            "event.id": event.id,
            "event.type": event.type,
            "event.time": event.time,
            "event.source": event.source,
            **({"event.subject": event.subject} if event.subject else {}),
        }
        attributes = dict(_attributes(about | found))
        return _encode({"timestamp": ms_of(event.time), "message": message_of(event), "attributes": attributes})

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """One batch: what is the same for all logs in `common`, each log's number as its last attribute."""
        common = self._common | {f"audit.{name}": value for name, value in chained(place).items()}
        logs = b",".join(
            b'%b,"audit.event":%d}}' % (log[:-2], number) for number, log in enumerate(rendered, place.first_event)
        )
        return b'[{"common":{"attributes":%b},"logs":[%b]}]' % (_encode(common), logs)


def _attributes(members: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """`members`, those of objects as `object.member`; arrays, and objects in objects, as JSON text; no nulls."""
    for name, value in members.items():
        yield from (isinstance(value, dict) and _flat(name, value)) or _values(name, value)


def _flat(name: str, members: Mapping[str, Any]) -> list[tuple[str, Any]] | None:
    """The members of one object; None if they are too many, or their names too long or not distinct."""
    if len(members) > (MOST_METADATA if name == "metadata" else MOST_MEMBERS):
        return None
    found = [each for member, value in members.items() for each in _values(f"{name}.{member}", value)]
    names = {each for each, _ in found}
    return found if len(names) == len(found) and all(len(each) <= MAX_NAME for each in names) else None


def _values(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """`value` as attributes that hold all of it: `name`, and `name.2`, `name.3` … for what is too long for one."""
    if isinstance(value, dict | list):
        value = _encode(value).decode()
    if not isinstance(value, str) or len(value) <= MAX_VALUE:
        if value is not None:
            yield name, value
        return
    for number, start in enumerate(range(0, len(value), MAX_VALUE), 1):
        yield (name if number == 1 else f"{name}.{number}"), value[start : start + MAX_VALUE]


class NewRelic:
    """`newrelic/1`."""

    name = "newrelic/1"
    title = "New Relic Logs"
    max_events = 100
    max_body_bytes = 900_000
    options = (Option("service", "the logs' service.name", "audit", "[A-Za-z][A-Za-z0-9_:./-]{0,99}", "atmos"),)
    required_headers = (RequiredHeader("Api-Key", "Api-Key: YOUR_LICENSE_KEY"),)
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each service."""
        return _Rendering(chosen["service"])

    def pieces(self, body: bytes) -> Pieces:
        """The logs; what is common to them stands before them."""
        [batch] = _batch(body)
        head = b'[{"common":%b,"logs":[' % bytes(batch.common)
        return Pieces(head, [bytes(log) for log in batch.logs], b",", b"]}]")

    def event_id(self, piece: bytes) -> str:
        """An attribute of the log."""
        return _log(piece).attributes.event_id

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """Any 2xx; it is 202, and says nothing of single logs."""
        return TAKEN if 200 <= status < 300 else None


FORMATS = (NewRelic(),)
