"""What there is to tell about a destination. Plain data; times in ms since 1970."""

from enum import StrEnum

from msgspec import Struct

from auditcast.schemas.records import Alerted, Revision, Status, Workspace

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Kind(StrEnum):
    """Reasons for an email, the gravest first: the first one is its headline."""

    GONE = "gone"
    """The receiver answered 410, and the destination was disabled."""
    PAUSED = "paused"
    """It did nothing but fail for long, and was paused."""
    EXPIRING_SOON = "expiring-soon"
    """Parked batches or dead letters will be gone within a day, or are going."""
    NOT_ENTITLED = "not-entitled"
    """The plan of its workspace forwards nothing (any more), so nothing is collected."""
    RECOVERED = "recovered"
    """It works again after an outage that was told of."""
    WARNING = "warning"
    """It will be paused unless it works."""
    UNDELIVERED = "undelivered"
    """There are new dead letters."""
    EXPIRING = "expiring"
    """Parked batches or dead letters will be gone within a week."""
    ENTITLED = "entitled"
    """It is entitled again, after an email that said that it is not."""


PLAN_KINDS = frozenset({Kind.NOT_ENTITLED, Kind.ENTITLED})
"""What concerns the owners of the workspace whoever else is told."""


class Ageing(Struct, frozen=True):
    """Dead letters that are owed and will expire soon: how many, and when the oldest was made."""

    count: int
    oldest: int


class Situation(Struct, frozen=True, kw_only=True):
    """How a destination stands; `reachable`: somebody has an address to be told at.

    `workspace` is what is known of the one whose events it gets; an organization's destination has none.
    """

    revision: Revision
    status: Status
    workspace: Workspace | None = None
    ageing: Ageing | None = None
    reachable: bool = True


class Policy(Struct, frozen=True, kw_only=True):
    """What the operator set. `pause_after` is 0 for never; what is kept for ever has no retention.

    There is at most one email in `every` ms about a destination.
    """

    every: int = HOUR_MS
    pause_after: int
    parked_retention: int | None
    letters_retention: int | None


class Alert(Struct, frozen=True, kw_only=True):
    """One email that is due: why, and what its readers know (`told`) once a mail server has accepted it.

    `fresh` dead letters are new in it. It is number `told.number` to this destination's owners, and belongs to the
    outage first told of by number `thread` (0: to none). The destination is paused at `pause_at` at the earliest, and
    something expires at `expires_at`.
    """

    kinds: tuple[Kind, ...]
    told: Alerted
    thread: int = 0
    since: int | None = None
    fresh: int = 0
    letters: int = 0
    pause_at: int | None = None
    expires_at: int | None = None

    @property
    def kind(self) -> Kind:
        """The headline."""
        return self.kinds[0]
