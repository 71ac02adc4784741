"""A batch as it is held: proved by its digest, or still waiting for some of its events. Pure."""

from collections.abc import Iterator

from msgspec import Struct, field

from auditcast.console.verifying.claims import Claim, Place
from auditcast.console.verifying.marks import at


class Held(Struct):
    """A batch that is here. Without `digest` only the numbers of its events are known, not that nothing was changed.

    `marked` has a mark for each event, or is empty if its body cannot be taken apart. `copies` are deliveries that
    brought nothing new, `duplicates` single events. `signed` if all that it came in was signed with a key given.
    """

    place: Place
    first: int
    last: int
    digest: str
    marked: bytes = b""
    parts: int = 0
    copies: int = 0
    duplicates: int = 0
    signed: bool = False

    @property
    def repeats(self) -> int:
        """How often it came again."""
        return self.copies - (-self.duplicates // (self.last - self.first + 1))

    def differs(self, number: int, mark: bytes) -> bool:
        """Whether the event of this number is another one here; in a body that has no pieces no event is."""
        return not self.first <= number <= self.last or at(self.marked, number - self.first) != mark


class Incomplete(Struct, frozen=True):
    """A batch that should have the events `first` to `last`, of which those in `holes` are not here.

    Without any holes it is not known what is lacking at its beginning, if anything.
    """

    place: Place
    first: int
    last: int
    holes: list[tuple[int, int]]


class Open(Struct):
    """A batch of which parts or single events came; their bytes lie in the spool.

    `claim` is that of its parts, `family` says what single events were read as. `alternatives` counts events that came
    with other bytes, too; `tried` is how many there were of all when it was last tried to seal the batch. `signed` as
    long as nothing came without a signature.
    """

    place: Place
    family: str = ""
    claim: Claim | None = None
    frame: tuple[bytes, bytes, bytes] = (b"", b"", b"")
    events: dict[int, bytes] = field(default_factory=dict)
    low: int = 0
    high: int = 0
    parts: int = 0
    copies: int = 0
    duplicates: int = 0
    alternatives: int = 0
    tried: int = 0
    signed: bool = False

    def add(self, number: int, mark: bytes) -> bool:
        """Count an event in; whether its bytes are new."""
        known = self.events.get(number)
        if known is not None:
            self.alternatives += known != mark
            return known != mark
        self.events[number] = mark
        self.low = min(self.low or number, number)
        self.high = max(self.high, number)
        return True

    @property
    def unbroken(self) -> bool:
        """Whether no number is missing between those that are here."""
        return len(self.events) == self.high - self.low + 1

    @property
    def size(self) -> int:
        """What there is to be tried."""
        return len(self.events) + self.alternatives

    def marked(self) -> bytes:
        """The marks of its events in order."""
        return b"".join(self.events[number] for number in sorted(self.events))

    def holes(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The ranges between `first` and `last` that are not here."""
        expected = first
        for number in sorted(self.events):
            if number > expected:
                yield expected, min(number - 1, last)
            expected = max(expected, number + 1)
        if expected <= last:
            yield expected, last
