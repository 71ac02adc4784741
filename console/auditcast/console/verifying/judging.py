"""What a stream's batches and manifests prove together, and what is wrong with them. Pure."""

from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from auditcast.console.verifying.attesting import follows, unattested
from auditcast.console.verifying.batches import Held
from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.statements import Statements
from auditcast.console.verifying.stream import Stream
from auditcast.schemas.chain import NO_GAP
from auditcast.schemas.records import Manifest


class Asked(Struct, frozen=True, kw_only=True):
    """What the auditor asks for: batches `first` to `last` (0: to the end) of each stream of a destination.

    With `begins_later` a stream begins where it does. `until` (ms; 0: any time) is when the end is to be proved until;
    of batches that were opened later no proof is asked for.
    With `numbers_only` it is no fault that a store has changed the events, and only their numbers are looked at.
    """

    first: int = 1
    last: int = 0
    begins_later: bool = False
    until: int = 0
    destination: str = ""
    numbers_only: bool = False

    def covers(self, sequence: int) -> bool:
        """Whether what is said of a batch (0: of none) was asked for."""
        return not sequence or self.first <= sequence <= (self.last or sequence)


def judged(stream: Stream, said: Statements, asked: Asked) -> Iterator[Finding]:
    """Everything about the batches of a stream of which nothing is open any more."""
    here = sorted(stream.held.keys() | stream.incomplete.keys())
    newest = said.newest
    top = max([*here[-1:], newest.last_sequence if newest else 0])
    if asked.last and top:
        top = asked.last
    low = asked.first
    if asked.begins_later and here:
        # What was cut off may have been cut within a batch.
        low = max(low, here[0] + (here[0] in stream.incomplete))
    within = [sequence for sequence in here if low <= sequence <= top]
    broken = {after for after in within if after in stream.held and not follows(stream, after)}
    for (_, sequence), finding in stream.noted.items():
        if asked.covers(sequence):
            yield finding
    yield from _runs(stream, within, broken)
    yield from (Finding(Kind.BROKEN, stream.name, sequence) for sequence in sorted(broken))
    yield from _missing(stream, said, within, low, top)
    yield from _incomplete(stream, within)
    if said.trusted:
        yield from unattested(stream, said.chain, low, top, asked.until)
    for sequence in within:
        if sequence in stream.held:
            yield from _remarks(stream.name, stream.held[sequence])
    for manifest in said.chain:
        yield from _unlike(stream, manifest, low, top)
        yield from _notes(stream.name, manifest, low, top)


def _runs(stream: Stream, within: list[int], broken: set[int]) -> Iterator[Finding]:
    """The batches that are here and follow each other, as ranges."""
    run: list[int] = []
    for sequence in [*(each for each in within if each in stream.held), 0]:
        if run and (sequence != run[-1] + 1 or sequence in broken):
            first, last = stream.held[run[0]], stream.held[run[-1]]
            yield Finding(
                Kind.COMPLETE,
                stream.name,
                first=run[0],
                last=run[-1],
                first_event=first.first,
                last_event=last.last,
                since=first.place.opened,
                until=last.place.opened,
            )
            run = []
        run = [*run[:1], sequence]


def _missing(stream: Stream, said: Statements, within: list[int], low: int, top: int) -> Iterator[Finding]:
    """The batches that are not here, as ranges; of a bad copy enough has been said."""
    ends = _ends(stream, said)
    known = sorted({*within, *(each for each in stream.bad if low <= each <= top)})
    for before, after in pairwise([low - 1, *known, top + 1]):
        if after > before + 1:
            first_event, last_event = ends.get(before, -1) + 1, ends.get(after - 1, 0)
            told = (first_event, last_event) if first_event and last_event >= first_event else (0, 0)
            yield Finding(
                Kind.MISSING, stream.name, first=before + 1, last=after - 1, first_event=told[0], last_event=told[1]
            )


def _incomplete(stream: Stream, within: list[int]) -> Iterator[Finding]:
    for sequence in within:
        if sequence in stream.incomplete:
            for first, last in stream.incomplete[sequence].holes or [(0, 0)]:
                yield Finding(Kind.INCOMPLETE, stream.name, sequence, first_event=first, last_event=last)


def _ends(stream: Stream, said: Statements) -> dict[int, int]:
    """The number of the last event of each batch of which anything tells it."""
    ends = {0: 0}
    for manifest in said.chain:
        ends[manifest.first_sequence - 1] = manifest.first_event - 1
        ends[manifest.last_sequence] = manifest.last_event
    for sequence, incomplete in stream.incomplete.items():
        if incomplete.holes:
            ends.setdefault(sequence - 1, incomplete.first - 1)
        ends.setdefault(sequence, incomplete.last)
    for sequence, held in stream.held.items():
        ends[sequence - 1] = held.first - 1
        ends[sequence] = held.last
    return ends


def _remarks(stream: str, held: Held) -> Iterator[Finding]:
    place = held.place
    if held.repeats:
        yield Finding(Kind.REPEATED, stream, place.sequence, count=held.repeats)
    if held.parts:
        yield Finding(Kind.JOINED, stream, place.sequence, count=held.parts)
    if place.gap != NO_GAP:
        since, _, until = place.gap.partition("-")
        yield Finding(Kind.GAP, stream, place.sequence, since=int(since), until=int(until))


def _unlike(stream: Stream, manifest: Manifest, low: int, top: int) -> Iterator[Finding]:
    """The batches at the ends of a manifest's hour that are not those it tells of, or lie after the very last."""
    opens, closes = manifest.first_sequence, manifest.last_sequence
    wrong = set()
    before = stream.held.get(opens - 1)
    if before and (before.digest or manifest.opening_digest, before.last) != (
        manifest.opening_digest,
        manifest.first_event - 1,
    ):
        wrong.add(opens - 1)
    first = stream.held.get(opens)
    if (
        first
        and opens <= closes
        and (first.place.previous, first.first) != (manifest.opening_digest, manifest.first_event)
    ):
        wrong.add(opens)
    last = stream.held.get(closes)
    if last and (last.digest or manifest.closing_digest, last.last) != (manifest.closing_digest, manifest.last_event):
        wrong.add(closes)
    if manifest.final:
        wrong.update(sorted(each for each in stream.held if each > closes)[:1])
    for sequence in sorted(wrong):
        if low <= sequence <= top:
            yield Finding(Kind.UNLIKE_MANIFEST, stream.name, sequence, until=manifest.until)


def _notes(stream: str, manifest: Manifest, low: int, top: int) -> Iterator[Finding]:
    for note in manifest.notes:
        if low <= note.sequence <= top:
            yield Finding(
                Kind.NOTED,
                stream,
                note.sequence,
                first_event=note.first_event,
                last_event=note.last_event,
                at=note.at,
                note=note.kind,
                by=note.by,
                because=note.because,
            )
