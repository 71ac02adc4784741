"""What became of one event for one destination, from all that the topics hold of it. Pure.

`Evidence` is what was found, `fate` what follows from it; times in ms since 1970.
"""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.console.in_batches import InBatch, concerns
from auditcast.console.moments import second_text
from auditcast.console.periods import begins_stream
from auditcast.console.sightings import Sighting
from auditcast.processors.state import before
from auditcast.schemas.records import Attempted, Revision, RevisionInForce

TICK_MS = 5_000
"""What a window may be late by: a tick, the broker, a clock."""


class Letter(Struct, frozen=True, kw_only=True):
    """A dead letter that is not resolved."""

    key: str
    at: int
    reason: str
    detail: str
    first_event: int
    last_event: int


class Evidence(Struct, frozen=True, kw_only=True):
    """All that is known of one destination. `entries` are its revisions in the event's partition, `covered` the last
    offset there that is in a batch of its own stream, `committed` how far the processors are, `wanted` whether the
    filters let the event through.

    `parked_since` and `due` are those of a copy that waits, if one does.
    """

    revision: Revision
    entries: Sequence[RevisionInForce] = ()
    covered: int = -1
    committed: int | None = None
    wanted: bool = True
    batch: InBatch | None = None
    attempts: Sequence[Attempted] = ()
    letters: Sequence[Letter] = ()
    parked_since: int | None = None
    due: int | None = None


class Fate(Struct, frozen=True):
    """`state` is one word for scripts, `sentence` the same for people; `at` since when, or when it will be."""

    state: str
    sentence: str
    at: int | None = None


def fate(evidence: Evidence, seen: Sighting, now: int) -> Fate:
    """Where the event is on its way to the destination."""
    if evidence.batch is not None:
        return _delivery(evidence, evidence.batch)
    if evidence.letters:
        letter = evidence.letters[-1]
        return Fate("refused", f"refused at {_at(letter.at)} ({letter.reason}): {letter.detail}", letter.at)
    return _collection(evidence, seen, now)


def _delivery(evidence: Evidence, batch: InBatch) -> Fate:
    """Of a batch that was made."""
    attempts = [each for each in evidence.attempts if concerns(each.first_event, each.last_event, batch)]
    letters = [each for each in evidence.letters if concerns(each.first_event, each.last_event, batch)]
    for attempt in reversed(attempts):
        if attempt.fate == "delivered":
            at = attempt.attempt.at
            return Fate("delivered", f"delivered at {_at(at)}, {_count(attempts)}", at)
    if letters:
        letter = letters[-1]
        sentence = f"a dead letter since {_at(letter.at)} ({letter.reason}): 'auditcast dead-letters replay' sends it"
        return Fate("dead-letter", sentence, letter.at)
    if evidence.parked_since is not None:
        since = evidence.parked_since
        return Fate("parked", f"parked since {_at(since)}, behind what the destination has not taken yet", since)
    if attempts and attempts[-1].fate.startswith("retry-"):
        tier, due = attempts[-1].fate, evidence.due
        when = "soon" if due is None else f"at {_at(due)}"
        return Fate(tier, f"to be tried again {when} ({tier}), after {_count(attempts)}", due)
    if attempts:
        last = attempts[-1]
        return Fate(last.fate, f"{last.fate} since {_at(last.attempt.at)}, after {_count(attempts)}", last.attempt.at)
    return Fate("waiting", f"batched at {_at(batch.at)}, and waits for its first attempt", batch.at)


def _collection(evidence: Evidence, seen: Sighting, now: int) -> Fate:
    """Of an event that is in no batch that is still there."""
    if not seen.at_home:
        return Fate("misplaced", "not sent yet: it lies in a wrong partition, from which a processor moves it")
    entry = before(evidence.entries, seen.offset)
    if entry is None:
        return _before_all(evidence, seen)
    if not entry.revision.collecting:
        return _uncollected(entry, seen)
    if not evidence.wanted:
        return Fate("filtered", "not sent: the filters that it had then do not let such events through")
    if evidence.covered >= seen.offset:
        return Fate("expired", "batched, and the batch has expired since: what became of it is not known any more")
    return _unbatched(evidence, entry, seen, now)


def _uncollected(entry: RevisionInForce, seen: Sighting) -> Fate:
    if entry.revision.state == "deleted":
        return Fate("deleted", f"not sent: it was deleted at {_at(entry.timestamp)}", entry.timestamp)
    since = entry.timestamp if entry.gap_from is None else entry.gap_from
    remedy = _remedy(entry.revision.destination, seen)
    if entry.revision.state == "active":
        return Fate("not-entitled", f"not sent: it was not entitled then, since {_at(since)}; {remedy}", since)
    return Fate("disabled", f"not sent: it was disabled then, since {_at(since)}; {remedy}", since)


def _unbatched(evidence: Evidence, entry: RevisionInForce, seen: Sighting, now: int) -> Fate:
    """Of an event that is collected, and not in a batch."""
    if evidence.committed is not None and evidence.committed > seen.offset:
        return Fate("passed", "not sent: the processors took it for a repeat of an event that they had moved here")
    due = seen.timestamp + entry.revision.window_ms
    if now < due + TICK_MS:
        return Fate("open", f"in a window that is still open, until {_at(due)} at the latest", due)
    return Fate("unprocessed", "not batched yet: the processors are behind, or none runs; see 'auditcast processor'")


def _before_all(evidence: Evidence, seen: Sighting) -> Fate:
    name = evidence.revision.destination
    if not evidence.entries:
        return Fate(
            "not-in-force", "not sent: the destination has not come into force there; see that a processor runs"
        )
    first = evidence.entries[0]
    if begins_stream(first, seen.partition):
        sentence = f"not sent: it came into force only at {_at(first.timestamp)}; {_remedy(name, seen)}"
        return Fate("not-in-force", sentence, first.timestamp)
    return Fate("unknown", "in no batch that is still there: whether it was collected then is not known any more")


def _remedy(destination: str, seen: Sighting) -> str:
    since = second_text(seen.timestamp).replace(" ", "T")
    return f"'auditcast destinations backfill {destination} --since {since}' delivers it"


def _count(attempts: Sequence[Attempted]) -> str:
    # What was taken partly has another record, with what became of this event.
    number = sum(each.fate != "partly" for each in attempts)
    return "1 attempt" if number == 1 else f"{number} attempts"


def _at(ms: int) -> str:
    return second_text(ms)
