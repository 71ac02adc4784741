"""Where what is owed lies: neighbouring batches in one place as one line. Pure."""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from auditcast.console.reconciling.intervals import Span, size
from auditcast.schemas.records import Batch

UNBATCHED = "unbatched"
REFUSED = "refused"
UNREADABLE = "unreadable"
MISPLACED = "misplaced"
"""Places of events that are in no batch: in the log, or among the dead letters; the others are fates of batches."""


class Owed(Struct, frozen=True, kw_only=True, gc=False):
    """Batches, or parts of them, that lie in one place; or events, where `stream` is "".

    `place` is a fate or one of the words above; what is owed lies from `first_offset` to `last_offset` of `partition`
    (None: of several) of `topic`, perhaps with other things between. `oldest` is when the first event of all was
    emitted, in ms; `key` is that of the first dead letter.
    """

    destination: str | None
    place: str
    topic: str
    partition: int | None
    first_offset: int
    last_offset: int
    events: int
    oldest: int
    stream: str = ""
    first_sequence: int = 0
    last_sequence: int = 0
    key: str = ""


class Place(Struct, frozen=True):
    """Where a record lies."""

    topic: str
    partition: int
    offset: int


def of_batch(batch: Batch, span: Span, word: str, place: Place, key: str = "") -> Owed:
    """The events of a batch with the numbers in `span`."""
    return Owed(
        destination=batch.destination,
        place=word,
        topic=place.topic,
        partition=place.partition,
        first_offset=place.offset,
        last_offset=place.offset,
        events=size(span),
        oldest=batch.opened,
        stream=batch.stream,
        first_sequence=batch.sequence,
        last_sequence=batch.sequence,
        key=key,
    )


class Owings:
    """All that is owed. What is noted in its order takes one line, however much it is."""

    def __init__(self) -> None:
        self._runs: list[Owed] = []
        self._open: dict[tuple[str | None, str, str, int | None, str], int] = {}

    def note(self, owed: Owed) -> None:
        """One more."""
        key = (owed.destination, owed.place, owed.topic, owed.partition, owed.stream)
        place = self._open.get(key)
        joined = None if place is None else _joined(self._runs[place], owed)
        if joined is None or place is None:
            self._open[key] = len(self._runs)
            self._runs.append(owed)
        else:
            self._runs[place] = joined

    def runs(self) -> list[Owed]:
        """All of it, by destination and place, in the order of each stream."""
        return _merged(sorted(self._runs, key=_order))


def _order(owed: Owed) -> tuple[bool, str, str, str, str, int, int]:
    who = owed.destination
    return (who is None, who or "", owed.place, owed.topic, owed.stream, owed.first_sequence, owed.first_offset)


def _merged(ordered: Iterable[Owed]) -> list[Owed]:
    merged: list[Owed] = []
    for owed in ordered:
        joined = _joined(merged[-1], owed) if merged else None
        if joined is None:
            merged.append(owed)
        else:
            merged[-1] = joined
    return merged


def _joined(one: Owed, other: Owed) -> Owed | None:
    """Both as one; None if they do not lie together."""
    same = (one.destination, one.place, one.topic, one.stream) == (
        other.destination, other.place, other.topic, other.stream,
    )  # fmt: skip
    if not same or other.first_sequence > one.last_sequence + 1 or other.last_sequence < one.first_sequence - 1:
        return None
    return replace(
        one,
        partition=one.partition if one.partition == other.partition else None,
        first_offset=min(one.first_offset, other.first_offset),
        last_offset=max(one.last_offset, other.last_offset),
        events=one.events + other.events,
        oldest=min(one.oldest, other.oldest),
        first_sequence=min(one.first_sequence, other.first_sequence),
        last_sequence=max(one.last_sequence, other.last_sequence),
    )
