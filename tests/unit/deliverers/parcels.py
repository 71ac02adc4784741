"""Parcels for the deliverer's unit tests."""

from auditcast.deliverers.parcels import Claim, Parcel
from auditcast.schemas.records import Batch, Delivery

CLAIM = Claim("audit.batches", 0)


def batch(destination: str = "dst_1", sequence: int = 1, *, test: bool = False, digest: str = "d") -> Batch:
    """A batch of which only what tests look at is real."""
    return Batch(
        id=f"{'test' if test else destination}-{sequence}",
        destination=destination,
        revision_number=1,
        revision_nonce="00",
        stream="" if test else destination,
        sequence=0 if test else sequence,
        first_event=1,
        last_event=1,
        partition=0,
        first_offset=0,
        last_offset=0,
        opened=0,
        format="cloudevents/1",
        gap="-",
        body_sha256="",
        previous_digest="",
        digest=digest,
        body=b"[]",
    )


def parcel(content: Batch | None, offset: int = 0, claim: Claim = CLAIM, delivery: Delivery | None = None) -> Parcel:
    """A parcel with `content`, or one that could not be read."""
    return Parcel(
        claim,
        offset,
        key=b"key",
        value=b"value",
        headers=[("h", b"v")],
        delivery=delivery,
        batch=content,
        problem="" if content else "bad",
    )
