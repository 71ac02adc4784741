"""The end of reading: what is to be said of the batches of a stream that did not come whole. Pure."""

from collections.abc import Callable, Mapping

from auditcast.console.verifying.batches import Open
from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.rebuilding import untouched
from auditcast.console.verifying.stream import Stream
from auditcast.schemas.records import Manifest

Say = Callable[[Finding], None]


def settle(stream: Stream, manifests: list[Manifest], say: Say, *, numbers_only: bool) -> None:
    """Leave nothing open in `stream`: hold what is whole, and say what is not.

    With `numbers_only` events that a store has changed are no fault; their numbers alone are looked at.
    """
    ends = {each.last_sequence: each for each in manifests}
    for sequence in sorted(stream.open):
        if stream.open[sequence].claim is None:
            stream.seal(sequence, _wanted(stream, sequence, ends, trusted=True))
    changed = False
    untrusted = set()
    for sequence in sorted(stream.open, reverse=True):
        waiting = stream.open[sequence]
        if waiting.claim is not None:
            _settle_parts(stream, sequence, waiting, say)
            continue
        if _overlaps(stream, sequence, waiting, ends):
            untrusted.add(sequence)
            stream.forget(sequence)
            stream.spoilt(Kind.ALTERED, sequence, "")
            continue
        holes = _holes(stream, sequence, waiting, ends)
        for first, last in holes:
            say(Finding(Kind.INCOMPLETE, stream.name, sequence, first_event=first, last_event=last))
        if holes:
            stream.incomplete[sequence] = (
                waiting.place,
                min(waiting.low, holes[0][0]),
                max(waiting.high, holes[-1][1]),
            )
            stream.forget(sequence)
        elif not _wanted(stream, sequence, ends, trusted=sequence + 1 not in untrusted):
            say(Finding(Kind.UNSEALED, stream.name, sequence))
            stream.hold(sequence, "")
        elif stream.sealed_events or untouched(waiting.family, stream.pieces_of(sequence)):
            untrusted.add(sequence)
            stream.forget(sequence)
            stream.spoilt(Kind.ALTERED, sequence, "")
        else:
            changed = True
            stream.hold(sequence, "")
    if changed:
        say(Finding(Kind.NUMBERS if numbers_only else Kind.UNVERIFIABLE, stream.name))


def _settle_parts(stream: Stream, sequence: int, waiting: Open, say: Say) -> None:
    claim = waiting.claim
    assert claim is not None  # noqa: S101  (it came in parts)
    holes = list(waiting.holes(claim.first, claim.last))
    for first, last in holes:
        say(Finding(Kind.INCOMPLETE, stream.name, sequence, first_event=first, last_event=last))
    if holes:
        stream.incomplete[sequence] = (claim.place, claim.first, claim.last)
    else:
        stream.spoilt(Kind.ALTERED, sequence, "")
    stream.forget(sequence)


def _wanted(stream: Stream, sequence: int, ends: Mapping[int, Manifest], *, trusted: bool) -> set[str]:
    """The digests that the batch must have, as far as anything here names one."""
    following = stream.place_of(sequence + 1) if trusted else None
    end = ends.get(sequence)
    return {*([following.previous] if following else ()), *([end.closing_digest] if end else ())}


def _overlaps(stream: Stream, sequence: int, waiting: Open, ends: Mapping[int, Manifest]) -> bool:
    """Whether it has an event that must be another batch's, by its number."""
    following, before = stream.first_of(sequence + 1), stream.held.get(sequence - 1)
    end = ends.get(sequence)
    return bool(
        (following and waiting.high >= following)
        or (before is not None and before.digest and waiting.low <= before.last)
        or (end is not None and waiting.high > end.last_event)
    )


def _holes(stream: Stream, sequence: int, waiting: Open, ends: Mapping[int, Manifest]) -> list[tuple[int, int]]:
    """The numbers that this batch lacks, also at its ends, where its neighbours show that these are its own.

    Between two batches that are both not proved a hole is taken for the earlier one's.
    """
    first, last = waiting.low, waiting.high
    before = stream.held.get(sequence - 1)
    if sequence == 1:
        first = 1
    elif before is not None and before.digest:
        first = min(first, before.last + 1)
    if stream.place_of(sequence + 1) is not None:
        last = max(last, stream.first_of(sequence + 1) - 1)
    elif sequence in ends:
        last = max(last, ends[sequence].last_event)
    return list(waiting.holes(first, last))
