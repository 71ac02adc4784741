"""What a receiver's 410 means for its destination: a revision that disables it, made by nobody. Pure."""

import hashlib

from msgspec.structs import replace

from auditcast.schemas.records import Revision

BECAUSE = "gone"


def disabled(about: Revision, now: int) -> Revision | None:
    """The revision that disables a destination of which `about` got the 410, at `now` in ms; None if none is needed.

    A deleted destination stays deleted.
    """
    if about.state == "deleted" or (about.state == "disabled" and about.because == BECAUSE):
        return None
    return replace(
        about,
        number=about.number + 1,
        nonce=verdict_nonce(about, BECAUSE),
        state="disabled",
        because=BECAUSE,
        changed_at=now,
    )


def verdict_nonce(about: Revision, because: str) -> str:
    """The nonce of a verdict of the system on `about`.

    It begins with `-`, below every digit: a change that a person made to `about` meanwhile has the same number and
    stands above it. It follows from `about`, so that a verdict given twice is the same one.
    """
    digest = hashlib.sha256(f"{about.destination}\n{about.number}\n{about.nonce}\n{because}".encode()).hexdigest()
    return f"-{digest[:16]}"
