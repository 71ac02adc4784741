"""Records of the topics of batches as parcels. Pure."""

from typing import cast

from confluent_kafka import Message
from msgspec.structs import replace

from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, Delivery
from auditcast.schemas.wire import decode_as

HEADER = "auditcast-delivery"
"""The record header that holds a copy's `Delivery`."""


def unpacked(claim: Claim, message: Message, now: int) -> Parcel:
    """The parcel in a record that was read under `claim` at `now` in ms."""
    offset = cast("int", message.offset())
    given = cast("list[tuple[str, bytes | None]] | None", message.headers()) or []
    value = message.value()
    batch, delivery, problem = None, None, ""
    try:
        batch = _batch(claim, message)
        delivery = _delivery(claim, offset, given, now)
    except Undecodable as unreadable:
        batch, problem = None, str(unreadable)
    return Parcel(
        claim,
        offset,
        key=message.key(),
        value=value,
        headers=[(name, content or b"") for name, content in given if name != HEADER],
        delivery=delivery,
        batch=batch,
        problem=problem,
    )


def _batch(claim: Claim, message: Message) -> Batch:
    batch = decode_as(Batch, message.value() or b"")
    if claim.source is Source.PARKED and batch.destination.encode() != message.key():
        raise Undecodable("the key of what is parked names another destination")
    return batch


def not_before(message: Message) -> int:
    """When a record may be sent, in ms; 0 if at once, or if it cannot be read, which is found out when it is."""
    for name, content in cast("list[tuple[str, bytes | None]] | None", message.headers()) or []:
        if name == HEADER:
            try:
                return decode_as(Delivery, content or b"").not_before
            except Undecodable:
                return 0
    return 0


def _delivery(claim: Claim, offset: int, headers: list[tuple[str, bytes | None]], now: int) -> Delivery:
    """What the copy carries, its age put off by the time that the receiver had no part in."""
    found = next((content for name, content in headers if name == HEADER), None)
    if found is None:
        return Delivery(offset=offset)
    delivery = decode_as(Delivery, found)
    if delivery.offset < 0:
        delivery = replace(delivery, offset=offset)
    if not delivery.began:
        return delivery
    ours = 0
    if claim.source is Source.RETRY and delivery.not_before:
        ours = now - delivery.not_before
    elif delivery.parked_at:
        ours = now - delivery.parked_at
    return replace(delivery, began=delivery.began + max(ours, 0))
