"""Elasticsearch's and OpenSearch's `_bulk`: a document in the Elastic Common Schema for each event.

No member has a name or a type of the emitter's choosing, since one of another type than before is refused by the index
for good: metadata is a list of texts, and the event itself is the text `event.original`.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import UNSET

from auditcast.schemas.chain import NO_GAP
from auditcast.schemas.events import CloudEvent, decode
from auditcast.schemas.formats.base import (
    MAX_NUMBER_BYTES,
    MAX_STREAM_BYTES,
    Judgement,
    Option,
    Pieces,
    Place,
    RequiredHeader,
    own_id,
)
from auditcast.schemas.formats.bulk import judged
from auditcast.schemas.formats.chained import MAX_CHAINED_BYTES, chained
from auditcast.schemas.formats.content import headline
from auditcast.schemas.formats.values import Effect, effect, given, is_ip

ECS_VERSION = "8.17.0"
MAX_ID_BYTES = 512
"""The longest `_id` of a document."""

_CATEGORIES = {"auth": "authentication", "permission": "iam", "team_member": "iam"}
_TYPES = {Effect.CREATE: "creation", Effect.READ: "access", Effect.UPDATE: "change", Effect.DELETE: "deletion"}
_ACTION = b'{"create":{"_id":%b}}\n%b'
_encode = msgspec.json.Encoder().encode
_document = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Rendering:
    """With `_id` the event's own id, so that an event which was emitted twice is stored once."""

    content_type = "application/x-ndjson"
    envelope_bytes = 1
    event_bytes = len(',"event":,}}\n') + MAX_NUMBER_BYTES + MAX_CHAINED_BYTES

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """Both lines, the second without its end."""
        return _ACTION % (_id(event), _encode(_fields(event, raw))[:-2])

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """Lines, the last one ended as well; number and place end each document."""
        chain = _encode(chained(place))[1:]
        return b"".join(
            b'%b,"event":%d,%b}\n' % (document, number, chain)
            for number, document in enumerate(rendered, place.first_event)
        )


class _NumberedRendering(_Rendering):
    """With `_id` the event's place in its stream, so that two events that were given one id are both stored."""

    event_bytes = _Rendering.event_bytes + len('{"create":{"_id":""}}\n-') + MAX_STREAM_BYTES + MAX_NUMBER_BYTES

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """What stands in no chain (a test, a manifest) keeps the event's id: it has no number of its own."""
        if place.sequence:
            first = place.first_event
            rendered = [
                _ACTION % (b'"%b-%d"' % (place.stream.encode(), number), lines.partition(b"\n")[2])
                for number, lines in enumerate(rendered, first)
            ]
        return super().join(rendered, place)


def _id(event: CloudEvent) -> bytes:
    named = event.id if len(event.id.encode()) <= MAX_ID_BYTES else f"sha256-{sha256(event.id.encode()).hexdigest()}"
    return _encode(named)


def _fields(event: CloudEvent, raw: bytes) -> dict[str, Any]:
    """The document; `audit`, which has what ECS has no place for, is the last member."""
    data = event.data
    category, action, actor = data.action.category, data.action.action, data.actor
    return given(
        {
            "@timestamp": event.time,
            "ecs": {"version": ECS_VERSION},
            "message": data.description or headline(event),
            "event": {
                "kind": "event",
                "module": "auditcast",
                "dataset": "auditcast.audit",
                "id": event.id,
                "category": [_CATEGORIES.get(category, "configuration")],
                "type": ["info" if category == "auth" else _TYPES.get(effect(action), "info")],
                "action": f"{category}.{action}",
                "outcome": data.outcome,
                "original": raw.decode(),
            },
            "user": given({"id": actor.id, "name": actor.name, "email": actor.email}),
            **_client(event),
            "organization": UNSET if event.organizationid is UNSET else {"id": event.organizationid},
            "audit": given(
                {
                    "type": event.type,
                    "source": event.source,
                    "workspace": event.workspaceid,
                    "actor_type": actor.type,
                    "target": data.target and given({name: getattr(data.target, name) for name in _TARGET}),
                    "metadata": _texts(data.metadata),
                }
            ),
        }
    )


_TARGET = ("type", "id", "name")


def _client(event: CloudEvent) -> dict[str, Any]:
    client = event.data.client
    if client is UNSET:
        return {}
    address = {} if client.ip is UNSET else {"address": client.ip, **({"ip": client.ip} if is_ip(client.ip) else {})}
    agent = {} if client.user_agent is UNSET else {"original": client.user_agent}
    return given({"source": address or UNSET, "user_agent": agent or UNSET})


def _texts(metadata: Mapping[str, Any]) -> Any:
    """As `name=value`, in an order that a store which sorts its lists does not change; nothing if there is none."""
    texts = {
        f"{name}={value if isinstance(value, str) else _sorted(value).decode()}" for name, value in metadata.items()
    }
    return sorted(texts) or UNSET


_sorted = msgspec.json.Encoder(order="sorted").encode


def restored(hit_id: str, source: Mapping[str, Any]) -> bytes:
    """The piece of a body that a document was stored from, whatever was added to it since.

    Made of the stored values: a changed one gives other bytes. Raises `KeyError`, `TypeError` or `ValueError` for what
    was never a document of this format.
    """
    raw = source["event"]["original"].encode()
    document = _stored(_fields(decode(raw), raw), source)
    audit = source["audit"]
    place = Place(
        stream=audit["stream"],
        sequence=int(audit["batch"]),
        first_event=int(audit["event"]),
        opened=int(audit["opened"]),
        gap=audit.get("gap", NO_GAP),
        previous_digest=audit["previous"],
    )
    return _Rendering().join([_ACTION % (_encode(hit_id), _encode(document)[:-2])], place)[:-1]


def _stored(form: Any, value: Any) -> Any:
    """`value` in the shape of `form`; a store may give a list of one as its only member, and lists in another order."""
    if isinstance(form, dict):
        return {name: _stored(member, value[name]) for name, member in form.items()}
    if isinstance(form, list):
        return sorted(value) if isinstance(value, list) else [value]
    return value


class Elastic:
    """`elastic/1`."""

    name = "elastic/1"
    title = "Elasticsearch or OpenSearch"
    max_events = 1000
    max_body_bytes = 900_000
    options = (
        Option(
            "document_id",
            "event for the event's id; number for stream and number, where emitters' own ids may repeat",
            "event",
            "event|number",
            "number",
        ),
    )
    required_headers: Sequence[RequiredHeader] = ()
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each choice."""
        return _NumberedRendering() if chosen["document_id"] == "number" else _Rendering()

    def pieces(self, body: bytes) -> Pieces:
        """Two lines each."""
        lines = body.split(b"\n")
        ended = not lines.pop()
        if not ended or not lines or len(lines) % 2 or any("create" not in _document(line) for line in lines[::2]):
            raise ValueError("the lines are not pairs of an action and a document")
        pairs = [b"%b\n%b" % pair for pair in zip(lines[::2], lines[1::2], strict=True)]
        return Pieces(b"", pairs, b"\n", b"\n")

    def event_id(self, piece: bytes) -> str:
        """A member of the document, which is the second line; `_id` may be another."""
        return own_id(_document(piece.partition(b"\n")[2]).get("event", msgspec.Raw()))

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """A 200 says that each document has an answer of its own."""
        return judged(answer, events) if status == 200 else None


FORMATS = (Elastic(),)
