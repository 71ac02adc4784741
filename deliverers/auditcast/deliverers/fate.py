"""What follows from an outcome: where a batch goes that was not delivered is decided here, and nowhere else. Pure."""

from msgspec import Struct

from auditcast.deliverers.outcomes import Outcome
from auditcast.deliverers.parcels import Parcel
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, Batch, DeadLetter, RecordHeader, TestResult
from auditcast.schemas.wire import encode


class Append(Struct, frozen=True):
    """A record that the broker must have acknowledged before the parcel is settled."""

    topic: str
    key: bytes
    value: bytes


def decide(parcel: Parcel, outcome: Outcome, topics: Topics, now: int) -> Append | None:
    """What to append before `parcel` counts as settled, at `now` in ms; None if nothing is left to do."""
    batch = parcel.batch
    if batch is not None and batch.is_test:
        # Somebody waits for the result; nothing is owed to anybody.
        return Append(topics.status, batch.id.encode(), encode(_result(batch, outcome, now)))
    if outcome.reason is None:
        return None
    key = batch.id if batch else f"{parcel.claim.topic}/{parcel.claim.partition}@{parcel.offset}"
    return Append(topics.dead_letters, key.encode(), encode(_letter(parcel, outcome, now)))


def _result(batch: Batch, outcome: Outcome, now: int) -> TestResult:
    nothing_sent = Attempt(at=now, latency_ms=0, error=outcome.reason, detail=outcome.detail)
    return TestResult(
        batch=batch.id,
        destination=batch.destination,
        delivered=outcome.reason is None,
        attempt=outcome.attempt or nothing_sent,
    )


def _letter(parcel: Parcel, outcome: Outcome, now: int) -> DeadLetter:
    return DeadLetter(
        topic=parcel.claim.topic,
        partition=parcel.claim.partition,
        offset=parcel.offset,
        at=now,
        reason=outcome.reason or "",
        detail=outcome.detail,
        key=parcel.key,
        value=parcel.value,
        headers=[RecordHeader(name, value) for name, value in parcel.headers],
        destination=parcel.batch.destination if parcel.batch else None,
        attempts=[outcome.attempt] if outcome.attempt else [],
    )
