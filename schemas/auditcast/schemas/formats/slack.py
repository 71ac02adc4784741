"""Slack's incoming webhooks: one message for each batch that people can read, a line for each event.

Answers: docs.slack.dev, sending messages using incoming webhooks. Limits: Block Kit's 50 blocks and 3,000 characters of
a section, and one that is nowhere written down: from about 11,000 characters on, in all blocks together, messages were
refused with `msg_blocks_too_long` (github.com/slackapi/bolt-js, issues 2509 and 2867).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from auditcast.schemas.attributes import time_text
from auditcast.schemas.chain import NO_GAP
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats.base import TAKEN, Judgement, Option, Pieces, Place, RequiredHeader
from auditcast.schemas.formats.content import what, who

SECTION = 3_000
LINES = 8_000
"""Characters of all lines together, as Slack counts them."""

NAME = 80
DESCRIPTION = 160
"""Characters of an actor, an action or a target, and of a description; what is longer is cut."""

_UNREADABLE = frozenset({b"invalid_payload", b"invalid_blocks", b"invalid_blocks_format", b"no_text"})
"""What Slack says of bytes that it will never take. All else is about the webhook or the channel, which people mend:
no_service, no_team, invalid_token, channel_not_found, action_prohibited; channel_is_archived comes as a 410."""

_TICK = "\u02cb"
"""Looks like the character that ends a word in code."""

_encode = msgspec.json.Encoder().encode


class _Line(Struct):
    """A rendered event."""

    text: str
    failed: bool


_line = msgspec.json.Decoder(_Line).decode


class _Rendering:
    content_type = "application/json"
    envelope_bytes = 4_096  # title, counts, place and gap are a quarter of it
    event_bytes = 128  # a section may hold a single line

    def __init__(self, title: str) -> None:
        self._title = title

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """The event's line. Outcome and names stand before the description, which may pretend to be anything."""
        data = event.data
        failed = data.outcome == "failure"
        words = (
            _time(event.time),
            "*failed*" if failed else "",
            _code(who(data.actor)),
            _code(f"{data.action.category}.{data.action.action}"),
            _code(what(data.target)) if data.target else "",
            f"in {_code(event.workspaceid)}",
            _escaped(_cut(data.description or "", DESCRIPTION)),
        )
        return _encode(_Line("  ".join(filter(None, words)), failed))

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """The message: how many events there are, the lines, and where they stand in the chain."""
        lines = [_line(each) for each in rendered]
        summary = f"{self._title}: {_counted(lines)}"
        blocks: list[dict[str, Any]] = [
            {"type": "header", "text": {"type": "plain_text", "text": summary, "emoji": False}},
            *({"type": "section", "text": _mrkdwn(text)} for text in _sections(_shown(lines))),
            {"type": "context", "elements": [_mrkdwn(text) for text in _footer(place, len(lines))]},
        ]
        return _encode({"text": summary, "blocks": blocks})


def _shown(lines: Sequence[_Line]) -> Iterator[str]:
    """The lines that fit, and a count of the others."""
    room = LINES
    for position, line in enumerate(lines):
        room -= _length(line.text)
        if room < 0:
            yield f"… and {_counted(lines[position:], 'more ')}"
            return
        yield line.text


def _sections(texts: Iterator[str]) -> Iterator[str]:
    """The lines, as many together as a section holds."""
    section = ""
    for text in texts:
        if section and _length(section) + 1 + _length(text) > SECTION:
            yield section
            section = ""
        section += f"\n{text}" if section else text
    yield section


def _footer(place: Place, count: int) -> Iterator[str]:
    if place.sequence:
        last = place.first_event + count - 1
        yield f"events {place.first_event} to {last}, batch {place.sequence} of {place.stream}"
    if place.gap != NO_GAP:
        begun, ended = (_time(time_text(int(ms))) for ms in place.gap.split("-"))
        yield f"*nothing was collected* from {begun} to {ended}"
    yield "times are in UTC"


def _counted(lines: Sequence[_Line], which: str = "") -> str:
    failed = sum(line.failed for line in lines)
    return f"{len(lines)} {which}event{'s' if len(lines) != 1 else ''}{f', {failed} failed' if failed else ''}"


def _time(text: str) -> str:
    return text[:19].replace("T", " ")


def _code(text: str) -> str:
    """A word in which Slack reads no formatting, link, mention or emoji."""
    return f"`{_escaped(_cut(text, NAME)) or '?'}`"


def _cut(text: str, most: int) -> str:
    """At most `most` characters on one line, without those that are not seen (changes of direction) or end code."""
    visible = " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * most]).split())
    visible = visible.replace("`", _TICK)
    return visible if len(visible) <= most else f"{visible[: most - 1]}…"


def _escaped(text: str) -> str:
    """Slack's three control characters taken literally: no link or mention begins without them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mrkdwn(text: str) -> dict[str, Any]:
    # Verbatim: no names of channels and no addresses are made into links.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _length(text: str) -> int:
    """The length as the strictest count has it, in UTF-16."""
    return len(text.encode("utf-16-le")) // 2


class Slack:
    """`slack/1`. A digest is for people: what proves completeness belongs to another destination."""

    name = "slack/1"
    title = "Slack"
    max_events = 100
    max_body_bytes = 900_000
    options = (
        Option(
            name="title",
            description="what a message begins with, up to 80 characters",
            default="Audit log",
            pattern="[^&<>]{1,80}",
            example="Audit log of production",
        ),
    )
    required_headers: Sequence[RequiredHeader] = ()
    secret_url = True
    gzip = False

    def rendering(self, chosen: Mapping[str, str]) -> _Rendering:
        """One for each title."""
        return _Rendering(chosen["title"])

    def pieces(self, body: bytes) -> Pieces:
        """None: a digest is one text."""
        raise ValueError("a message for Slack cannot be taken apart")

    def event_id(self, piece: bytes) -> str:
        """None: a digest has no pieces."""
        raise ValueError("a message for Slack cannot be taken apart")

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """200 and the word `ok`."""
        said = answer.strip()
        if status == 400 and said in _UNREADABLE:
            return Judgement(never=((0, events - 1),), detail=f"Slack cannot read the message: {said.decode()}")
        return TAKEN if status == 200 and said == b"ok" else None


FORMATS = (Slack(),)
