"""What follows from an outcome: where a batch goes that was not delivered is decided here, and nowhere else. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from auditcast.deliverers.gone import disabled
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parts import part_id
from auditcast.deliverers.schedule import in_time, tier_after
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, Attempted, Batch, DeadLetter, Delivery, RecordHeader, TestResult
from auditcast.schemas.wire import encode

KEPT_ATTEMPTS = 20
"""Attempts that a dead letter tells of, the newest; only one that was replayed again and again has had more."""


class Policy(Struct, frozen=True):
    """How failed batches are treated: the delay of each retry, and the age at which there are no more."""

    topics: Topics
    delays_ms: tuple[int, ...]
    max_age_ms: int


class Append(Struct, frozen=True):
    """A record to append. Without a `partition` the default partitioner chooses; no `value` removes the key."""

    topic: str
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]] = []
    partition: int | None = None


def decide(parcel: Parcel, pieces: list[Piece], policy: Policy, now: int) -> list[Append]:
    """Everything that the broker must have, in this order, before `parcel` counts as settled; `now` in ms.

    A batch that may still be delivered becomes a copy in a retry topic, any other a dead letter. What was replayed for
    the sake of a dead letter has one attempt: it takes the letter away, or puts a newer one into its place.
    """
    batch, topics = parcel.batch, policy.topics
    if batch is not None and batch.is_test:
        # Somebody waits for the result; nothing is owed to anybody.
        return [Append(topics.status, batch.id.encode(), encode(_result(batch, pieces[-1].outcome, now)))]
    appends = []
    letters = set()
    for piece in pieces:
        fate = _fate(parcel, piece, policy, now)
        if fate.again is not None:
            appends.append(_copy(parcel, topics.retries[fate.tier - 1], fate.again))
        elif fate.name == DEAD_LETTER:
            letters.add(key := _letter_key(parcel, piece))
            appends.append(Append(topics.dead_letters, key.encode(), encode(_letter(parcel, piece, policy, now))))
        about = piece.outcome.revision
        if piece.outcome.verdict is Verdict.GONE and about is not None and (verdict := disabled(about, now)):
            appends.append(Append(topics.destinations, verdict.destination.encode(), encode(verdict)))
    if parcel.delivery.letter and parcel.delivery.letter not in letters:
        appends.append(Append(topics.dead_letters, parcel.delivery.letter.encode(), None))
    return appends


def delivered_after(parcel: Parcel, pieces: list[Piece], now: int) -> int | None:
    """How long after its window was opened a batch, or the part that this is a copy of, was delivered whole, in ms.

    None if it was not, and for what is no plain delivery: a test, a manifest, a replay.
    """
    batch = parcel.batch
    if batch is None or batch.is_test or batch.is_manifest or parcel.delivery.replay:
        return None
    outcomes = [piece.outcome for piece in pieces]
    taken = all(outcome.verdict in {Verdict.DELIVERED, Verdict.SPLIT} for outcome in outcomes)
    # Without an attempt it was a repeat of what was delivered before.
    return now - batch.opened if taken and any(outcome.attempt for outcome in outcomes) else None


def reports(parcel: Parcel, pieces: list[Piece], policy: Policy, now: int, *, stays: bool = False) -> list[Append]:
    """One record for each attempt that was made, and for each share of one; nobody need wait for them.

    If `stays`, the parcel lies in the parked topic, where what is to be tried again just stays.
    """
    batch = parcel.batch
    if batch is None:
        return []
    appends = []
    for piece in pieces:
        if piece.outcome.attempt is None:
            continue
        fate = _fate(parcel, piece, policy, now)
        record = Attempted(
            destination=batch.destination,
            batch=batch.id,
            stream=batch.stream,
            sequence=batch.sequence,
            first_event=piece.first_event or batch.first_event,
            last_event=piece.last_event or batch.last_event,
            number=len(parcel.delivery.attempts) + 1,
            fate=_said(fate, stays=stays),
            replay=parcel.delivery.replay,
            attempt=piece.outcome.attempt,
        )
        appends.append(Append(policy.topics.attempts, batch.destination.encode(), encode(record)))
    return appends


def fates(parcel: Parcel, pieces: list[Piece], policy: Policy, now: int, *, stays: bool = False) -> list[str]:
    """What followed from each attempt that was made, one of FATES."""
    made = [piece for piece in pieces if piece.outcome.attempt is not None and not piece.share]
    return [_said(_fate(parcel, piece, policy, now), stays=stays) for piece in made]


def parked(parcel: Parcel, policy: Policy, now: int) -> Append:
    """The copy of `parcel`, which must be readable, for the parked topic."""
    return _copy(parcel, policy.topics.parked, replace(parcel.delivery, parked_at=now))


DEAD_LETTER, PARKED = "dead-letter", "parked"
TIERS = range(1, len(Topics().retries) + 1)
FATES = ("none", "delivered", "split", "partly", *(f"retry-{tier}" for tier in TIERS), PARKED, DEAD_LETTER)
"""As `records.Attempted` calls them."""


class _Fate(Struct, frozen=True):
    """What follows for one piece, as `records.Attempted` calls it; `again` goes with the copy for a retry `tier`."""

    name: str
    tier: int = 0
    again: Delivery | None = None


def _said(fate: _Fate, *, stays: bool) -> str:
    return PARKED if stays and fate.again is not None else fate.name


def _fate(parcel: Parcel, piece: Piece, policy: Policy, now: int) -> _Fate:
    verdict = piece.outcome.verdict
    if verdict is Verdict.SHOWN:
        return _Fate("none")
    if verdict in {Verdict.DELIVERED, Verdict.SPLIT, Verdict.PARTLY}:
        return _Fate(str(verdict))
    if verdict is Verdict.RETRY and not parcel.delivery.letter:
        return _later(parcel, piece, policy, now)
    return _Fate(DEAD_LETTER)


def _later(parcel: Parcel, piece: Piece, policy: Policy, now: int) -> _Fate:
    """A retry, unless there were enough of them."""
    outcome, before = piece.outcome, parcel.delivery
    attempts = _attempts(parcel, outcome)
    if outcome.attempt is not None:
        began = before.began if before.attempts else outcome.attempt.at
        least_ms = 0.0
    else:
        # It could not even be sent, which counts no attempt. So that a batch is not rewritten every 30 s all day, it
        # waits as long as it has waited already.
        began = before.began or now
        least_ms = float(now - began)
    tier = tier_after(policy.delays_ms, len(attempts), max(least_ms, 1000 * (outcome.retry_after or 0)))
    if tier is None or not in_time(due := now + policy.delays_ms[tier - 1], began, policy.max_age_ms):
        return _Fate(DEAD_LETTER)
    again = replace(
        before,
        attempts=attempts,
        began=began,
        not_before=due,
        parked_at=0,
        first_event=piece.first_event,
        last_event=piece.last_event,
    )
    return _Fate(f"retry-{tier}", tier, again)


def _attempts(parcel: Parcel, outcome: Outcome) -> list[Attempt]:
    return [*parcel.delivery.attempts, *([outcome.attempt] if outcome.attempt else [])]


def _copy(parcel: Parcel, topic: str, delivery: Delivery) -> Append:
    """The same bytes in another topic, in the partition of the same number, so that the same process owns it."""
    if parcel.batch is None:
        raise ValueError("what cannot be read has no destination to be copied for")
    return Append(
        topic,
        parcel.batch.destination.encode(),
        parcel.value,
        [*parcel.headers, (HEADER, encode(delivery))],
        parcel.claim.partition,
    )


def _result(batch: Batch, outcome: Outcome, now: int) -> TestResult:
    nothing_sent = Attempt(at=now, latency_ms=0, error=outcome.reason, detail=outcome.detail)
    return TestResult(
        batch=batch.id,
        destination=batch.destination,
        delivered=outcome.reason is None,
        attempt=outcome.attempt or nothing_sent,
    )


def _letter_key(parcel: Parcel, piece: Piece) -> str:
    batch, delivery = parcel.batch, parcel.delivery
    if batch is None:
        return f"{parcel.claim.topic}/{parcel.claim.partition}@{parcel.offset}"
    if delivery.letter and (piece.first_event, piece.last_event) == (delivery.first_event, delivery.last_event):
        return delivery.letter
    return part_id(batch, piece.first_event, piece.last_event)


def _letter(parcel: Parcel, piece: Piece, policy: Policy, now: int) -> DeadLetter:
    batch, delivery, outcome = parcel.batch, parcel.delivery, piece.outcome
    return DeadLetter(
        topic=policy.topics.batches if batch else parcel.claim.topic,
        partition=parcel.claim.partition,
        offset=delivery.offset if batch else parcel.offset,
        at=now,
        reason=outcome.reason or "",
        detail=outcome.detail,
        key=parcel.key,
        value=parcel.value,
        headers=[RecordHeader(name, value) for name, value in parcel.headers],
        destination=batch.destination if batch else None,
        attempts=_attempts(parcel, outcome)[-KEPT_ATTEMPTS:],
        first_event=piece.first_event,
        last_event=piece.last_event,
        replay=delivery.replay,
    )
