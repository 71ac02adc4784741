"""One dead letter in full: what failed, every attempt, and the events that are owed."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from auditcast.console.letter_showing import count, letter_shape
from auditcast.console.letters import Letter
from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.schemas.attributes import time_text
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Attempt, Batch, DeadLetter, Revision
from auditcast.schemas.wire import decode_as

ANSWER_SHOWN = 200
"""Characters of an answer that people are shown; JSON has what is kept."""

RAW_SHOWN = 1000
"""Characters shown of what cannot be read."""


def shape(letter: Letter, whole: DeadLetter, revision: Revision | None) -> dict[str, Any]:
    """The letter as JSON has it: every attempt in `history`, the events in `owed`, or else its first bytes in `raw`."""
    events = owed(whole, letter)
    return letter_shape(letter, revision) | {
        "detail": whole.detail,
        "headers": [header.name for header in whole.headers],
        "history": [_attempt_shape(attempt) for attempt in whole.attempts],
        "owed": events,
        "raw": None if events is not None else _raw(whole),
    }


def card(letter: Letter, whole: DeadLetter, revision: Revision | None) -> Group:
    """The same for people."""
    parts: list[Any] = [_facts(letter, whole, revision)]
    if whole.attempts:
        parts += ["", _attempts(whole.attempts)]
    events = owed(whole, letter)
    if events is None:
        begins = "What cannot be read begins:" if letter.hindrance or not letter.stream else "What is owed begins:"
        parts += ["", Text(begins), Text(f"  {printable(_raw(whole))}")]
    else:
        parts += ["", _events(events)]
    return Group(*parts)


def owed(whole: DeadLetter, letter: Letter) -> list[Any] | None:
    """The events that are owed, as they are in the body; None if there is no such thing."""
    if letter.destination is None:
        return None
    batch = _batch(whole)
    if batch is None:
        return _parsed([whole.value or b""])  # a single event
    form = FORMATS.get(batch.format)
    try:
        pieces = [] if form is None else form.pieces(batch.body).items
    except ValueError:
        pieces = []  # one text for all of them
    if len(pieces) == batch.last_event - batch.first_event + 1:
        pieces = pieces[letter.first_event - batch.first_event : letter.last_event - batch.first_event + 1]
    return _parsed(pieces) if pieces else None


def _batch(whole: DeadLetter) -> Batch | None:
    try:
        return decode_as(Batch, whole.value or b"")
    except Undecodable:
        return None


def _parsed(pieces: Sequence[bytes]) -> list[Any] | None:
    """Each as JSON; of two lines, an action and a document, the second."""
    try:
        return [json.loads(piece.rpartition(b"\n")[2]) for piece in pieces]
    except (ValueError, RecursionError):
        return None


def _facts(letter: Letter, whole: DeadLetter, revision: Revision | None) -> Table:
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    for title, value in _told(letter, whole, revision):
        lines.add_row(title, printable(value))
    return lines


def _told(letter: Letter, whole: DeadLetter, revision: Revision | None) -> Iterator[tuple[str, str]]:
    yield "Key", letter.key
    if letter.destination is not None:
        named = f" ({revision.description})" if revision and revision.description else ""
        yield "Destination", f"{letter.destination}{named}"
    yield "Failed", second_text(letter.at)
    yield "Reason", letter.reason
    if whole.detail:
        yield "Detail", whole.detail
    if letter.replay:
        yield "Failed again", f"in the replay {letter.replay}"
    if letter.stream:
        yield "Stream", letter.stream
    if letter.stream and not letter.sequence:
        yield "Holds", "a manifest of the stream"
    elif letter.stream:
        yield "Sequence", str(letter.sequence)
        part = ", a part of the batch" if whole.first_event else ""
        yield "Events", f"{letter.first_event} to {letter.last_event}{part}"
    yield "From", f"{letter.topic}/{letter.source_partition}@{letter.source_offset}"
    if letter.destination is None:
        yield "Record key", letter.sender or "-"
    if whole.headers:
        yield "Headers", ", ".join(header.name for header in whole.headers)
    yield "Size", count(letter.size, "byte")
    if letter.hindrance:
        yield "Replay", f"not possible: {letter.hindrance}"


def _attempts(attempts: list[Attempt]) -> Table:
    lines = Table(box=None, header_style="bold", pad_edge=False)
    lines.add_column("Attempt", justify="right")
    lines.add_column("When", no_wrap=True)
    lines.add_column("Status", justify="right")
    lines.add_column("Took", justify="right", no_wrap=True)
    lines.add_column("Answer", overflow="fold")
    for number, attempt in enumerate(attempts, 1):
        answer = attempt.answer[:ANSWER_SHOWN] + ("…" if len(attempt.answer) > ANSWER_SHOWN else "")
        said = [": ".join(filter(None, (attempt.error, attempt.detail))), answer]
        lines.add_row(
            str(number),
            second_text(attempt.at),
            "-" if attempt.status is None else str(attempt.status),
            f"{attempt.latency_ms:,} ms",
            printable(" / ".join(filter(None, said))) or "-",
        )
    return lines


def _events(events: list[Any]) -> Table | Group:
    """A line an event; what is no CloudEvent stands there as it is."""
    if not any(isinstance(event, dict) and isinstance(event.get("data"), dict) for event in events):
        return Group(*(Text(f"  {printable(json.dumps(event, ensure_ascii=False)[:RAW_SHOWN])}") for event in events))
    lines = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("Event", "Time", "Action", "Actor", "Target", "Outcome"):
        lines.add_column(title, overflow="fold", no_wrap=title == "Time")
    for event in events:
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict):
            lines.add_row(printable(json.dumps(event)[:RAW_SHOWN]))
            continue
        action = _part(data, "action")
        lines.add_row(
            _text(event.get("id")),
            _text(event.get("time")),
            ".".join(filter(None, (_text(action.get("category")), _text(action.get("action"))))),
            _party(_part(data, "actor"), "email"),
            _party(_part(data, "target"), "type"),
            _text(data.get("outcome")),
        )
    return lines


def _party(who: dict[str, Any], more: str) -> str:
    told = _text(who.get(more))
    return f"{_text(who.get('id'))} ({told})" if told else _text(who.get("id"))


def _part(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else printable(str(value))


def _raw(whole: DeadLetter) -> str:
    """The beginning of the body, or of whatever the record is."""
    batch = _batch(whole)
    raw = (whole.value or b"") if batch is None else batch.body
    return raw[:RAW_SHOWN].decode(errors="backslashreplace")


def _attempt_shape(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": time_text(attempt.at),
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
        "detail": attempt.detail,
        "answer": attempt.answer,
    }
