"""The end of reading: what is to be said of the batches of a stream that did not come whole. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.console.verifying.batches import Incomplete, Open
from auditcast.console.verifying.findings import Kind
from auditcast.console.verifying.rebuilding import untouched
from auditcast.console.verifying.stream import Stream
from auditcast.schemas.records import Manifest


class _Known(Struct, frozen=True):
    """What manifests say: the first event of some batches, of others the last one."""

    firsts: dict[int, int]
    lasts: dict[int, int]
    digests: dict[int, str]


def settle(stream: Stream, manifests: Sequence[Manifest], *, numbers_only: bool) -> None:
    """Leave nothing open in `stream`: hold what is whole, and note what is not.

    With `numbers_only` events that a store has changed are no fault; their numbers alone are looked at.
    """
    known = _Known(
        {1: 1} | {each.first_sequence: each.first_event for each in manifests},
        {each.first_sequence - 1: each.first_event - 1 for each in manifests}
        | {each.last_sequence: each.last_event for each in manifests},
        {each.first_sequence - 1: each.opening_digest for each in manifests}
        | {each.last_sequence: each.closing_digest for each in manifests},
    )
    for sequence in sorted(stream.open):
        if stream.open[sequence].claim is not None:
            stream.join(sequence)
        else:
            stream.seal(sequence, _wanted(stream, sequence, known))
    # From the last one on, so that what an altered batch says of the one before it is not believed.
    for sequence in sorted(stream.open, reverse=True):
        waiting = stream.open[sequence]
        if waiting.claim is not None:
            holes = list(waiting.holes(waiting.claim.first, waiting.claim.last))
            _lacking(stream, sequence, Incomplete(waiting.place, waiting.claim.first, waiting.claim.last, holes))
        elif _overlaps(stream, sequence, waiting, known):
            _altered(stream, sequence)
        else:
            _settle_events(stream, sequence, waiting, known, numbers_only=numbers_only)


def _settle_events(stream: Stream, sequence: int, waiting: Open, known: _Known, *, numbers_only: bool) -> None:
    first, last = _span(stream, sequence, waiting, known)
    holes = list(waiting.holes(first, last))
    if holes:
        _lacking(stream, sequence, Incomplete(waiting.place, first, last, holes))
    elif not _wanted(stream, sequence, known):
        stream.note(Kind.UNSEALED, sequence)
        stream.hold(sequence, "")
    elif sequence not in known.firsts and stream.place_of(sequence - 1) is None:
        # A part of the stream was kept, and it may begin within this batch.
        stream.give_up(sequence, Incomplete(waiting.place, first, last, []))
    elif stream.sealed_events or untouched(waiting.family, stream.pieces_of(sequence)):
        _altered(stream, sequence)
    else:
        stream.note(Kind.NUMBERS if numbers_only else Kind.UNVERIFIABLE, 0)
        stream.hold(sequence, "")


def _lacking(stream: Stream, sequence: int, incomplete: Incomplete) -> None:
    """Parts that have no holes together, and still did not make the batch, are not what came."""
    if incomplete.holes:
        stream.give_up(sequence, incomplete)
    else:
        _altered(stream, sequence)


def _altered(stream: Stream, sequence: int) -> None:
    stream.give_up(sequence)
    stream.spoilt(Kind.ALTERED, sequence, "")


def _wanted(stream: Stream, sequence: int, known: _Known) -> set[str]:
    """The digests that the batch must have, as far as anything here names one."""
    following, digest = stream.place_of(sequence + 1), known.digests.get(sequence)
    return {*([following.previous] if following else ()), *([digest] if digest else ())}


def _overlaps(stream: Stream, sequence: int, waiting: Open, known: _Known) -> bool:
    """Whether it has an event that must be another batch's, by its number."""
    following, before = stream.first_of(sequence + 1), stream.held.get(sequence - 1)
    return bool(
        (following and waiting.high >= following)
        or (before is not None and before.digest and waiting.low <= before.last)
        or waiting.low < known.firsts.get(sequence, 0)
        or waiting.high > known.lasts.get(sequence, waiting.high)
    )


def _span(stream: Stream, sequence: int, waiting: Open, known: _Known) -> tuple[int, int]:
    """The first and the last event that the batch should have, as far as its neighbours and manifests show it.

    Between two batches that are both not proved a hole is taken for the earlier one's.
    """
    before = stream.held.get(sequence - 1)
    first = known.firsts.get(sequence, waiting.low)
    if before is not None and before.digest:
        first = before.last + 1
    following = stream.first_of(sequence + 1)
    last = following - 1 if following else known.lasts.get(sequence, waiting.high)
    return first, last
