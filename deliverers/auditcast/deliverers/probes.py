"""What becomes of a parked batch that was sent in vain. Pure.

While the breaker is open, one parked batch at a time asks whether the receiver is back. Its failure says nothing of the
batch, so it stays where it is, and in order; only its age runs, and at its end it is a dead letter. After some probes
in vain another batch gets its turn, for it may be this very one that the receiver cannot take.
"""

from enum import Enum

from msgspec.structs import replace

from auditcast.deliverers.account import Account
from auditcast.deliverers.outcomes import Piece, Verdict
from auditcast.deliverers.parcels import Parcel, Source

PROBES_EACH = 6
"""Probes in vain with one batch, after which it queues up again behind all others."""

_SETTLED = {Verdict.DELIVERED, Verdict.GONE, Verdict.DEAD, Verdict.PARTLY}
"""What has consequences for some of the events at least, so that the batch cannot stay what it is."""


class Place(Enum):
    """Where a parcel belongs now."""

    DECIDED = "decided"
    """Where fate.py says: it does not stay parked."""
    HERE = "here"
    BEHIND = "behind"
    """Parked, behind everything else that is."""


def place_of(account: Account, parcel: Parcel, pieces: list[Piece], max_age_ms: int, now: int) -> Place:
    """Where `parcel` belongs after these `pieces`, which `account` has taken note of; `now` in ms.

    Enters in `parcel.delivery` what was learnt of its age, for wherever it goes.
    """
    verdicts = {piece.outcome.verdict for piece in pieces}
    if parcel.claim.source is not Source.PARKED or not account.standing.open:
        return Place.DECIDED
    if Verdict.RETRY not in verdicts or not verdicts.isdisjoint(_SETTLED):
        return Place.DECIDED
    attempt = next((piece.outcome.attempt for piece in reversed(pieces) if piece.outcome.attempt), None)
    known = account.probed_in_vain(parcel.offset, parcel.delivery, attempt, now)
    if now - known.began > max_age_ms:
        parcel.delivery = known
        return Place.DECIDED
    if account.probes_in_vain >= PROBES_EACH and account.backlog.readable:
        parcel.delivery = replace(parcel.delivery, began=known.began)
        return Place.BEHIND
    return Place.HERE
