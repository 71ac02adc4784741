"""Datadog Logs, HTTP intake v2: one log for each event, which can be searched without a pipeline.

Limits and answers: docs.datadoghq.com/api/latest/logs. A log over 1 MB is cut and taken all the same, so none may be.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from auditcast.schemas.attributes import ms_of
from auditcast.schemas.chain import NO_GAP
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
from auditcast.schemas.formats.content import content, message_of, settled
from auditcast.schemas.formats.values import host

_WORD = "[A-Za-z][A-Za-z0-9_:./-]{0,99}"
_TAGS = f"(?:{_WORD}(?:,{_WORD}){{0,19}})?"
_NO_TAG = re.compile("[^A-Za-z0-9_:./-]")
_MAX_TAG = 200
_encode = msgspec.json.Encoder().encode


class _Refusal(Struct):
    """What the intake says of a request that it will never take."""

    errors: list[Any]


class _Log(Struct):
    event_id: str


_log = msgspec.json.Decoder(_Log).decode
_refusal = msgspec.json.Decoder(_Refusal).decode


class _Rendering:
    content_type = "application/json"
    envelope_bytes = 2
    event_bytes = len(',,"audit":{"event":,}') + MAX_NUMBER_BYTES + MAX_CHAINED_BYTES

    def __init__(self, chosen: Mapping[str, str]) -> None:
        self._chosen = chosen

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """A log. `envelope` repeats what the intake takes out of it and changes, so that it can be told afterwards."""
        found = content(raw)
        found.pop("description", None)  # it is the message
        envelope = self._envelope(event)
        subject = {"event_subject": event.subject} if event.subject else {}
        return _encode(
            {
                **envelope,
                "message": message_of(event),
                "timestamp": ms_of(event.time),
                "event_id": event.id,
                "event_type": event.type,
                "event_time": event.time,
                "event_source": event.source,
                **subject,
                **found,
                "envelope": envelope,
            }
        )

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """A JSON array; number and place are spliced in before each log's closing brace."""
        chain = chained(place)
        logs = [_placed(log, number, chain) for number, log in enumerate(rendered, place.first_event)]
        return b"[" + b",".join(logs) + b"]"

    def _envelope(self, event: CloudEvent) -> dict[str, str]:
        chosen, data = self._chosen, event.data
        tags = (
            f"category:{data.action.category}",
            f"action:{data.action.action}",
            f"outcome:{data.outcome}",
            f"workspace:{event.workspaceid}",
        )
        return {
            "ddsource": chosen["ddsource"],
            "service": chosen["service"],
            "hostname": chosen["hostname"] or host(event.source),
            # The intake reads a word by its first letters: `failure` would be an emergency.
            "status": "info" if data.outcome == "success" else chosen["failure_status"],
            "ddtags": ",".join(filter(None, (chosen["tags"], *(_NO_TAG.sub("_", tag)[:_MAX_TAG] for tag in tags)))),
        }


def _placed(log: bytes, number: int, chain: Mapping[str, Any]) -> bytes:
    return b'%b,"audit":{"event":%d,%b}' % (log[:-1], number, _encode(chain)[1:])


_KEPT = (
    *("event_id", "event_type", "event_time", "event_source", "event_subject"),
    *("actor", "action", "target", "outcome", "metadata", "client"),
    *("workspace_id", "organization_id", "extensions", "other"),
)
_ENVELOPE = ("ddsource", "service", "hostname", "status", "ddtags")


def restored(message: str, attributes: Mapping[str, Any]) -> bytes:
    """The piece of a body that a stored log was made of, from its message and its attributes in any order.

    Raises `KeyError`, `TypeError` or `ValueError` for what was never a log of this format.
    """
    envelope = {name: attributes["envelope"][name] for name in _ENVELOPE}
    log = _encode(
        {
            **envelope,
            "message": message,
            "timestamp": ms_of(attributes["event_time"]),
            **{name: settled(attributes[name]) for name in _KEPT if name in attributes},
            "envelope": envelope,
        }
    )
    audit = attributes["audit"]
    place = Place(
        stream=audit["stream"],
        sequence=int(audit["batch"]),
        first_event=0,
        opened=int(audit["opened"]),
        gap=audit.get("gap", NO_GAP),
        previous_digest=audit["previous"],
    )
    return _placed(log, int(audit["event"]), chained(place))


class Datadog:
    """`datadog/1`."""

    name = "datadog/1"
    title = "Datadog Logs"
    max_events = 1000
    max_body_bytes = 900_000
    options = (
        Option("service", "the log's service", "audit", _WORD, "atmos"),
        Option("ddsource", "the log's source", "auditcast", _WORD, "atmos"),
        Option("hostname", "the log's host; empty: the host in the event's source", "", "[A-Za-z0-9_.-]{0,253}", "eu"),
        Option("tags", "tags of every log, before those of the event", "", _TAGS, "env:prod,team:security"),
        Option("failure_status", "the status of what failed: error, warn or info", "error", "error|warn|info", "warn"),
    )
    required_headers = (RequiredHeader("DD-API-KEY", "DD-API-KEY: YOUR_API_KEY"),)
    secret_url = False
    gzip = True

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each choice."""
        return _Rendering(chosen)

    def pieces(self, body: bytes) -> Pieces:
        """The array's items."""
        return array_pieces(body)

    def event_id(self, piece: bytes) -> str:
        """An attribute of the log."""
        return _log(piece).event_id

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """202 and no other; a 400 in the intake's own words is about the bytes, which stay the same."""
        if status == 400:
            try:
                _refusal(answer)
            except (ValueError, RecursionError):
                return None
            return Judgement(never=((0, events - 1),), detail="Datadog cannot read the request")
        return TAKEN if status == 202 else None


FORMATS = (Datadog(),)
