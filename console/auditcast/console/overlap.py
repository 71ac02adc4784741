"""The rotation of a destination's secret: for a while both the old one and the new one count. Pure, `now` in ms.

A rotation ends by its time alone: deliverers then sign with the next secret only, whether or not a revision says so.
"""

from msgspec.structs import replace

from auditcast.console.moments import second_text
from auditcast.console.revisions import alive
from auditcast.console.sealed import next_secret_place, secret_place
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer


class UnderWay(AuditcastError):
    """Another rotation of the secret has not ended."""


def under_way(revision: Revision, now: int) -> bool:
    """Whether both secrets count."""
    return bool(revision.next_secret) and now < revision.rotation_ends


def begun(revision: Revision, secret: str, *, now: int, overlap: int, sealer: Sealer) -> Revision:
    """`revision` with `secret` beside its own, and after `overlap` ms in its place; raises `UnderWay` and `Gone`."""
    alive(revision)
    if under_way(revision, now):
        name = revision.destination
        raise UnderWay(
            f"{name} is at a rotation that ends at {second_text(revision.rotation_ends)}: end it with"
            f" 'auditcast destinations rotate-secret {name} --finish', or undo it with --cancel"
        )
    return replace(
        finished(revision, sealer),
        next_secret=sealer.seal(next_secret_place(revision.destination), secret),
        rotation_ends=now + overlap,
    )


def finished(revision: Revision, sealer: Sealer) -> Revision:
    """`revision` with its next secret as the only one; as it is if it has none. Raises `Gone`."""
    if not alive(revision).next_secret:
        return revision
    name = revision.destination
    secret = sealer.open(next_secret_place(name), revision.next_secret)
    return replace(revision, secret=sealer.seal(secret_place(name), secret), next_secret=b"", rotation_ends=0)


def cancelled(revision: Revision, now: int, sealer: Sealer) -> Revision:
    """`revision` with its old secret as the only one, if it still counts; else as `finished`. Raises `Gone`."""
    if not under_way(alive(revision), now):
        return finished(revision, sealer)
    return replace(revision, next_secret=b"", rotation_ends=0)
