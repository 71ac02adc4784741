"""What there is to say about what a receiver kept, as data; the kinds are explained in docs/auditing.md."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    """The kinds of findings, the worst last."""

    COMPLETE = "complete"
    REPEATED = "repeated"
    LATE = "late"
    JOINED = "joined"
    GAP = "gap"
    TEST = "test"
    NOTED = "noted"
    PROVED = "proved"
    ENDED = "ended"
    UNSEALED = "unsealed"
    NUMBERS = "numbers"
    MISSING = "missing"
    INCOMPLETE = "incomplete"
    UNPROVED = "unproved"
    UNATTESTED = "unattested"
    MANIFEST_MISSING = "manifest-missing"
    ALTERED = "altered"
    UNSIGNED = "unsigned"
    FORGED = "forged"
    CONTRADICTION = "contradiction"
    BROKEN = "broken"
    MISNUMBERED = "misnumbered"
    FOREIGN = "foreign"
    UNPLACED = "unplaced"
    MANIFEST_FORGED = "manifest-forged"
    MANIFEST_CONTRADICTION = "manifest-contradiction"
    UNLIKE_MANIFEST = "unlike-manifest"
    UNREADABLE = "unreadable"
    UNVERIFIABLE = "unverifiable"
    NOTHING = "nothing"


GENUINE, INCOMPLETE, FAULTY, UNKNOWN = range(4)
"""The exit codes; the worst finding decides."""

_FROM = ((Kind.UNREADABLE, UNKNOWN), (Kind.ALTERED, FAULTY), (Kind.MISSING, INCOMPLETE))
_ORDER = list(Kind)


class Finding(Struct, frozen=True, omit_defaults=True):
    """One of them; a field that its kind does not have is 0 or empty, and left out of JSON.

    `first` to `last` are batches, `sequence` is one; times are in ms. `where` is the place in the input of the first
    thing that it is about.
    """

    kind: Kind
    stream: str = ""
    sequence: int = 0
    first: int = 0
    last: int = 0
    first_event: int = 0
    last_event: int = 0
    since: int = 0
    until: int = 0
    at: int = 0
    count: int = 0
    note: str = ""
    by: str = ""
    because: str = ""
    where: str = ""


def gravity(kind: Kind) -> int:
    """The exit code that a finding of this kind asks for."""
    return next((code for least, code in _FROM if _ORDER.index(kind) >= _ORDER.index(least)), GENUINE)


def exit_code(findings: Iterable[Finding]) -> int:
    """That of the worst."""
    return max((gravity(finding.kind) for finding in findings), default=GENUINE)
