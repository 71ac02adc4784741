"""What a receiver kept of one stream: batches as they come in, whole, in parts, or event by event. Pure."""

from collections.abc import Collection, Iterator, Sequence

from auditcast.console.verifying.batches import Held, Incomplete, Open
from auditcast.console.verifying.claims import Claim, Place
from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.marks import mark, marks
from auditcast.console.verifying.rebuilding import FAMILIES, Form, is_unambiguous
from auditcast.console.verifying.spool import Spool
from auditcast.schemas.chain import body_digest
from auditcast.schemas.formats.base import Pieces

Numbered = Sequence[tuple[int, bytes]]


class Stream:
    """`held` are the batches that are here, `open` those that may still become whole, `bad` the numbers of bad copies.

    In the end nothing is open, but `incomplete`. `noted` has what there is to say of single batches, once of each kind,
    and of the whole stream under 0.
    """

    def __init__(self, name: str, spool: Spool) -> None:
        self.name = name
        self.held: dict[int, Held] = {}
        self.open: dict[int, Open] = {}
        self.incomplete: dict[int, Incomplete] = {}
        self.bad: set[int] = set()
        self.noted: dict[tuple[Kind, int], Finding] = {}
        self.sealed_events = False
        self._spool = spool
        self._newest = 0
        self._form: Form | None = None

    def note(self, kind: Kind, sequence: int, where: str = "") -> None:
        """Say this of a batch, unless it was said before."""
        self.noted.setdefault((kind, sequence), Finding(kind, self.name, sequence, where=where))

    def spoilt(self, kind: Kind, sequence: int, where: str) -> None:
        """A bad copy of a batch came, which counts as nothing."""
        self.note(kind, sequence, where)
        self.bad.add(sequence)

    def arrived(self, sequence: int, where: str) -> None:
        """A delivery came, where the order of arrival is known."""
        if sequence < self._newest and sequence not in self.held and sequence not in self.open:
            self.note(Kind.LATE, sequence, where)
        self._newest = max(self._newest, sequence)

    def add_whole(self, claim: Claim, pieces: Pieces | None, where: str, *, signed: bool = False) -> None:
        """A whole batch whose digest is right; `pieces` is None if its body cannot be taken apart."""
        sequence = claim.place.sequence
        held = self.held.get(sequence)
        if held is not None and held.digest == claim.digest:
            held.copies += 1
            held.signed |= signed
            return
        if held is not None:
            self.note(Kind.CONTRADICTION, sequence, where)
            return
        marked = marks(pieces.items) if pieces else b""
        held = Held(claim.place, claim.first, claim.last, claim.digest, marked, signed=signed)
        self.held[sequence] = held
        before = self.open.pop(sequence, None)
        if before is not None:
            self._spool.drop((self.name, sequence))
            held.copies, held.duplicates = before.copies + before.parts, before.duplicates
            held.duplicates += 0 if before.parts else len(before.events)
            differ = any(held.differs(number, seen) for number, seen in before.events.items())
            if differ or (before.claim is not None and before.claim.digest != claim.digest):
                self.note(Kind.CONTRADICTION, sequence, where)

    def add_part(self, claim: Claim, pieces: Pieces, where: str, *, signed: bool = False) -> None:
        """A part of a batch, whose digest is right if its `parent` is."""
        assert claim.part is not None  # noqa: S101  (the caller's promise)
        sequence = claim.place.sequence
        numbered = list(enumerate(pieces.items, claim.part[0]))
        held = self.held.get(sequence)
        if held is not None:
            held.copies += self._alike(held, claim.digest, numbered, where)
            return
        waiting = self.open.get(sequence)
        if waiting is None or waiting.claim is None:
            frame = pieces.head, pieces.separator, pieces.tail
            fresh = Open(claim.place, claim=claim, frame=frame, signed=signed)
            waiting = self.open[sequence] = fresh if waiting is None else _with_claim(waiting, fresh)
        elif waiting.claim.digest != claim.digest:
            self.note(Kind.CONTRADICTION, sequence, where)
            return
        if self._put(waiting, numbered, where):
            waiting.signed &= signed
            waiting.parts += 1
        else:
            waiting.copies += 1
        if not waiting.tried:
            self.join(sequence)

    def add_events(self, place: Place, family: str, numbered: Numbered, where: str) -> None:
        """Events of one batch, all of which say the same of its place."""
        sequence = place.sequence
        held = self.held.get(sequence)
        if held is not None:
            held.duplicates += len(numbered) if self._alike(held, held.digest, numbered, where) else 0
            return
        waiting = self.open.get(sequence)
        if waiting is None:
            waiting = self.open[sequence] = Open(place, family=family)
        elif waiting.place != place:
            self.note(Kind.CONTRADICTION, sequence, where)
            return
        waiting.duplicates += len(numbered) - self._put(waiting, numbered, where)
        waiting.signed = False
        for near in (sequence - 1, sequence, sequence + 1):
            self._seal_if_bounded(near)

    def first_of(self, sequence: int) -> int:
        """The lowest number of the events of a batch, as far as they are here; 0 if none is."""
        found = self._found(sequence)
        return found.low if isinstance(found, Open) else found.first if found else 0

    def last_of(self, sequence: int) -> int:
        """The highest."""
        found = self._found(sequence)
        return found.high if isinstance(found, Open) else found.last if found else 0

    def place_of(self, sequence: int) -> Place | None:
        """What the batch says of its place."""
        found = self._found(sequence)
        return found.place if found else None

    def _found(self, sequence: int) -> Held | Open | Incomplete | None:
        return self.held.get(sequence) or self.open.get(sequence) or self.incomplete.get(sequence)

    def seal(self, sequence: int, wanted: Collection[str]) -> bool:
        """Hold a batch of single events if it has one of the digests `wanted`, however it must be rebuilt for that."""
        waiting = self.open[sequence]
        if not wanted or not waiting.unbroken:
            return False
        waiting.tried = waiting.size
        for pieces in self._choices(sequence, waiting):
            forms = [form for form in (self._form,) if form in FAMILIES[waiting.family]]
            for form in dict.fromkeys([*filter(None, forms), *FAMILIES[waiting.family]]):
                digest = form.digest(waiting.place, waiting.low, waiting.high, pieces)
                if digest in wanted and (form.change is None or all(map(is_unambiguous, pieces))):
                    self._form, self.sealed_events = form, True
                    self.hold(sequence, digest, marks(pieces) if waiting.alternatives else waiting.marked())
                    return True
        return False

    def pieces_of(self, sequence: int) -> list[bytes]:
        """The events of an open batch that are here, in order."""
        return next(self._choices(sequence, self.open[sequence]))

    def hold(self, sequence: int, digest: str, marked: bytes = b"") -> None:
        """Take an open batch for here, with the digest that proves it, or none, and the marks of its events."""
        waiting = self.open.pop(sequence)
        self._spool.drop((self.name, sequence))
        self.held[sequence] = Held(
            waiting.place,
            waiting.low,
            waiting.high,
            digest,
            marked or waiting.marked(),
            waiting.parts if waiting.parts > 1 else 0,
            waiting.copies,
            waiting.duplicates,
            waiting.signed,
        )

    def give_up(self, sequence: int, incomplete: Incomplete | None = None) -> None:
        """Wait no longer for an open batch: it is `incomplete`, or all that came of it was bad."""
        del self.open[sequence]
        if incomplete is not None:
            self.incomplete[sequence] = incomplete
        self._spool.drop((self.name, sequence))

    def _alike(self, held: Held, digest: str, numbered: Numbered, where: str) -> bool:
        """Whether events that come again are the same; says so if not."""
        alike = digest == held.digest and not any(held.differs(number, mark(piece)) for number, piece in numbered)
        if not alike:
            self.note(Kind.CONTRADICTION, held.place.sequence, where)
        return alike

    def _put(self, waiting: Open, numbered: Numbered, where: str) -> int:
        """Take events in; how many of them are new."""
        sequence, known = waiting.place.sequence, len(waiting.events)
        before = waiting.alternatives
        for number, piece in numbered:
            if waiting.add(number, mark(piece)):
                self._spool.add((self.name, sequence), number, piece)
        if waiting.alternatives > before:
            self.note(Kind.CONTRADICTION, sequence, where)
        return len(waiting.events) - known

    def _choices(self, sequence: int, waiting: Open) -> Iterator[list[bytes]]:
        """The first copy of each event, and if any has others, the newest of each."""
        kept = self._spool.get((self.name, sequence))
        for copies in (reversed(kept), kept) if waiting.alternatives else (kept,):
            chosen = dict(copies)
            yield [chosen[number] for number in sorted(chosen)]

    def join(self, sequence: int) -> None:
        """Hold a batch that came in parts, if they are all here and give what each of them named."""
        waiting = self.open[sequence]
        claim = waiting.claim
        assert claim is not None  # noqa: S101  (it came in parts)
        if len(waiting.events) != claim.last - claim.first + 1 or waiting.tried == waiting.size:
            return
        waiting.tried = waiting.size
        head, separator, tail = waiting.frame
        for pieces in self._choices(sequence, waiting):
            if body_digest(Pieces(head, pieces, separator, tail).body()) == claim.parent:
                self.hold(sequence, claim.digest, marks(pieces))
                return

    def _seal_if_bounded(self, sequence: int) -> None:
        """Seal a batch as soon as its neighbours show that it is whole, so that its bytes need not be kept."""
        waiting, following = self.open.get(sequence), self.place_of(sequence + 1)
        if waiting is None or following is None or waiting.claim or waiting.tried:
            return
        if self.first_of(sequence + 1) == waiting.high + 1 and self.last_of(sequence - 1) == waiting.low - 1:
            self.seal(sequence, [following.previous])


def _with_claim(events: Open, part: Open) -> Open:
    """An open batch of single events, now that a part says what the whole is."""
    events.claim, events.frame = part.claim, part.frame
    return events
