"""Which batches of a destination are to be sent again, and what is said of those that cannot be. No I/O."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from auditcast.console.moments import second_text
from auditcast.schemas.errors import AuditcastError


class Ambiguous(AuditcastError):
    """A sequence number alone does not say which batch is meant."""


class Range(Struct, frozen=True, kw_only=True):
    """Batches of a destination: of one stream (None: of all), by sequence, or opened from `since` to before `until`.

    Times in ms; what is None does not matter.
    """

    destination: str
    stream: str | None = None
    sequence: tuple[int, int] | None = None
    since: int | None = None
    until: int | None = None

    def holds(self, stream: str, sequence: int, opened: int) -> bool:
        """Whether the batch is meant."""
        return (
            self.stream in (None, stream)
            and (self.sequence is None or self.sequence[0] <= sequence <= self.sequence[1])
            and (self.since is None or opened >= self.since)
            and (self.until is None or opened < self.until)
        )


class Kept(Struct, frozen=True, kw_only=True, gc=False):
    """A batch that lies at `offset` of `partition` of `audit.batches`."""

    id: str
    stream: str
    sequence: int
    events: int
    partition: int
    offset: int


class Span(Struct, frozen=True):
    """What is held of a stream: its lowest and highest sequence, and when the lowest was `opened`, in ms."""

    lowest: int
    highest: int
    opened: int


def only_one(wanted: Range, spans: Mapping[str, Span]) -> None:
    """Raise `Ambiguous` if sequence numbers are asked for that several streams have."""
    if wanted.sequence is not None and wanted.stream is None and len(spans) > 1:
        named = ", ".join(f"{stream} ({_numbers(span.lowest, span.highest)})" for stream, span in sorted(spans.items()))
        raise Ambiguous(f"{wanted.destination} has several streams, say which with --stream: {named}")


def missing(wanted: Range, spans: Mapping[str, Span], found: Sequence[Kept]) -> Iterator[str]:
    """A sentence for everything that was asked for and is not among `found`."""
    if wanted.stream is not None and wanted.stream not in spans:
        yield f"no batch of the stream {wanted.stream} is held any more"
        return
    if not spans:
        yield f"no batch of {wanted.destination} is held any more"
        return
    for stream, span in sorted(spans.items()):
        if wanted.stream not in (None, stream):
            continue
        if wanted.sequence is None:
            yield from _before(wanted, stream, span)
        else:
            held = {each.sequence for each in found if each.stream == stream}
            yield from _of_numbers(wanted.sequence, stream, span, held)


def _before(wanted: Range, stream: str, span: Span) -> Iterator[str]:
    """What was opened before everything that is held may have been in the time asked for."""
    if span.lowest > 1 and (wanted.since is None or wanted.since < span.opened):
        yield (
            f"{stream}: {_batches(1, span.lowest - 1)} expired, so what was opened before {second_text(span.opened)}"
            " cannot be sent again"
        )


def _of_numbers(numbers: tuple[int, int], stream: str, span: Span, held: set[int]) -> Iterator[str]:
    first, last = numbers
    if first < span.lowest:
        yield f"{stream}: {_batches(first, min(last, span.lowest - 1))} expired, and cannot be sent again"
    for hole in _runs(range(max(first, span.lowest), min(last, span.highest) + 1), held):
        where = "it should be" if hole[0] == hole[1] else "they should be"
        yield f"{stream}: {_batches(*hole)} {'is' if hole[0] == hole[1] else 'are'} not where {where}"
    if last > span.highest:
        above = max(first, span.highest + 1)
        yield f"{stream}: there is no batch {'' if above == last else 'from '}{_numbers(above, last)} yet"


def _runs(numbers: range, held: set[int]) -> Iterator[tuple[int, int]]:
    """The stretches of `numbers` that are not `held`."""
    begun = None
    for number in numbers:
        if number not in held:
            begun = number if begun is None else begun
        elif begun is not None:
            yield begun, number - 1
            begun = None
    if begun is not None:
        yield begun, numbers[-1]


def _batches(first: int, last: int) -> str:
    return f"{'batch' if first == last else 'batches'} {_numbers(first, last)}"


def _numbers(first: int, last: int) -> str:
    return f"{first}" if first == last else f"{first} to {last}"
