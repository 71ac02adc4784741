"""Where an event is and what became of it: as lines for people and as JSON for scripts (docs/tracing.md)."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from msgspec import Struct

from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.console.sightings import Sighting
from auditcast.console.tracing import Evidence, Fate
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Attempted

FORMS = {"json": "CloudEvents JSON", "binary": "CloudEvents, binary mode", "avro": "Avro"}


class Trace(Struct, frozen=True):
    """All that is told of one event."""

    event: str
    topic: str
    seen: Sequence[Sighting]
    destinations: Sequence[tuple[Evidence, Fate]]


def shape(trace: Trace) -> dict[str, Any]:
    """The trace as JSON has it."""
    return {
        "event": trace.event,
        "places": [_place(trace.topic, seen) for seen in trace.seen],
        "destinations": [_destination(evidence, fate) for evidence, fate in trace.destinations],
    }


def _place(topic: str, seen: Sighting) -> dict[str, Any]:
    return {
        "topic": topic,
        "partition": seen.partition,
        "offset": seen.offset,
        "at": time_text(seen.timestamp),
        "form": seen.form or None,
        "workspace": seen.workspace or None,
        "organization": seen.organization,
        "at_home": seen.at_home,
        "moved_from": seen.moved_from,
        "problem": seen.problem,
    }


def _destination(evidence: Evidence, fate: Fate) -> dict[str, Any]:
    batch = evidence.batch
    return {
        "destination": evidence.revision.destination,
        "state": fate.state,
        "at": None if fate.at is None else time_text(fate.at),
        "sentence": fate.sentence,
        "batch": batch
        and {
            "id": batch.id,
            "stream": batch.stream,
            "sequence": batch.sequence,
            "event": batch.number,
            "partition": batch.partition,
            "offset": batch.offset,
            "at": time_text(batch.at),
        },
        "attempts": [_attempt(each) for each in evidence.attempts],
        "dead_letters": [
            {"key": each.key, "at": time_text(each.at), "reason": each.reason} for each in evidence.letters
        ],
    }


def _attempt(attempted: Attempted) -> dict[str, Any]:
    attempt = attempted.attempt
    return {
        "number": attempted.number,
        "at": time_text(attempt.at),
        "status": attempt.status,
        "latency_ms": attempt.latency_ms,
        "error": attempt.error,
        "detail": attempt.detail,
        "answer": attempt.answer,
        "fate": attempted.fate,
        "events": [attempted.first_event, attempted.last_event],
        "replay": attempted.replay or None,
    }


def lines(trace: Trace) -> list[str]:
    """The trace for people."""
    told = [printable(trace.event)]
    for seen in trace.seen:
        told += [f"  {line}" for line in _place_lines(trace.topic, seen)]
    if not trace.destinations:
        told += ["", "No destination is or was registered for it: see 'auditcast destinations list'."]
    for evidence, fate in trace.destinations:
        told += ["", f"{evidence.revision.destination}: {printable(fate.sentence)}."]
        told += [f"  {line}" for line in _batch_lines(evidence)]
    return told


def _place_lines(topic: str, seen: Sighting) -> list[str]:
    where = f"{topic}, partition {seen.partition}, offset {seen.offset}, {second_text(seen.timestamp)}"
    if seen.problem is not None:
        return [where, f"refused: {printable(seen.problem)}"]
    scope = f"workspace {printable(seen.workspace)}"
    if seen.organization is not None:
        scope += f", organization {printable(seen.organization)}"
    if seen.moved_from is not None:
        scope += f", moved here from {printable(seen.moved_from)}"
    elif not seen.at_home:
        scope += f", which belongs to partition {seen.home}"
    return [f"{where}, {FORMS[seen.form]}", scope]


def _batch_lines(evidence: Evidence) -> list[str]:
    batch = evidence.batch
    if batch is None:
        return []
    number = "" if batch.number is None else f", event {batch.number}"
    told = [f"batch {batch.sequence} of {batch.stream}{number}, webhook-id {batch.id}"]
    for alike in _runs(evidence.attempts):
        attempted, newest = alike[0], alike[-1].attempt
        attempt = attempted.attempt
        status = f"status {attempt.status}" if attempt.status is not None else "no answer"
        why = f" ({printable(': '.join(filter(None, (attempt.error, attempt.detail))))})" if attempt.error else ""
        replay = ", a replay" if attempted.replay else ""
        more = "" if len(alike) == 1 else f" and {len(alike) - 1:,} more until {second_text(newest.at)}"
        told.append(
            f"attempt {attempted.number} at {second_text(attempt.at)}{more}{replay}: {status}, {newest.latency_ms}"
            f" ms{why}; {attempted.fate}"
        )
    return told


def _runs(attempts: Sequence[Attempted]) -> list[list[Attempted]]:
    """Neighbours that only differ in their times: what is parked is tried over and over."""

    def what(each: Attempted) -> tuple[object, ...]:
        return each.number, each.fate, each.replay, each.attempt.status, each.attempt.error, each.attempt.detail

    return [list(alike) for _, alike in groupby(attempts, what)]
