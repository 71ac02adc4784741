"""Where a batch goes that was not delivered, and what is remembered of those that were."""

from msgspec.structs import replace

from auditcast.deliverers.fate import Append, Policy, decide, parked, reports
from auditcast.deliverers.gone import disabled
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.repeats import Repeats, Seen
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.schemas.records import (
    Attempt,
    Attempted,
    DeadLetter,
    Delivery,
    RecordHeader,
    Revision,
    TestResult,
)
from auditcast.schemas.wire import decode_as
from tests.unit.deliverers.parcels import batch, parcel

SECOND, HOUR = 1000, 3_600_000
POLICY = Policy(Topics(), (30 * SECOND, 120 * SECOND, 600 * SECOND, HOUR, 4 * HOUR), 24 * HOUR)
NOW = 1_700_000_000_000
ATTEMPT = Attempt(at=NOW - 5, latency_ms=2, status=500, answer="no")
FAILURE = Outcome(reason="status-500", verdict=Verdict.RETRY, attempt=ATTEMPT)
SUCCESS = Outcome(reason=None, verdict=Verdict.DELIVERED, attempt=ATTEMPT)
DEAD = Outcome(reason="address-forbidden", verdict=Verdict.DEAD, detail="no", attempt=ATTEMPT)
UNSENT = Outcome(reason="cannot-unseal", verdict=Verdict.RETRY, detail="no key")
REVISION = Revision(destination="dst_1", number=4, nonce="a0", state="active", changed_at=1, epoch="e")
GONE = Outcome(reason="status-410", verdict=Verdict.GONE, attempt=ATTEMPT, revision=REVISION)


def whole(outcome: Outcome) -> list[Piece]:
    return [Piece(0, 0, outcome)]


def copy_of(record: Append) -> Delivery:
    return decode_as(Delivery, dict(record.headers)[HEADER])


def letter_of(record: Append) -> DeadLetter:
    assert record.topic == "audit.dead-letters"
    assert record.value is not None
    return decode_as(DeadLetter, record.value)


def tried(times: int, began: int = NOW - SECOND, **more: object) -> Parcel:
    """A copy of a batch of which `times` attempts were made."""
    delivery = Delivery(offset=3, attempts=[ATTEMPT] * times, began=began if times else 0)
    return parcel(batch(), 7, delivery=replace(delivery, **more))


def told(parcel: Parcel, pieces: list[Piece], **how: bool) -> list[tuple[str, int, int, int]]:
    """Fate, number and events of each attempt reported."""
    records = [decode_as(Attempted, record.value or b"") for record in reports(parcel, pieces, POLICY, NOW, **how)]
    return [(record.fate, record.number, record.first_event, record.last_event) for record in records]


def test_a_success_leaves_nothing_to_do() -> None:
    assert decide(parcel(batch()), whole(SUCCESS), POLICY, NOW) == []
    assert told(parcel(batch()), whole(SUCCESS)) == [("delivered", 1, 1, 1)]


def test_six_attempts_at_growing_distances_and_then_a_letter() -> None:
    each, tiers, waits = parcel(batch(), 7), [], []
    for number in range(1, 6):
        [record] = decide(each, whole(FAILURE), POLICY, NOW)
        assert told(each, whole(FAILURE)) == [(f"retry-{number}", number, 1, 1)]
        assert (record.key, record.value, record.partition) == (b"dst_1", b"value", 0)
        assert record.headers[0] == ("h", b"v")
        delivery = copy_of(record)
        assert (delivery.offset, delivery.began, len(delivery.attempts)) == (7, ATTEMPT.at, number)
        tiers.append(record.topic)
        waits.append(delivery.not_before - NOW)
        each = parcel(batch(), number, delivery=delivery)
    assert tiers == [f"audit.batches.retry-{number}" for number in range(1, 6)]
    assert waits == list(POLICY.delays_ms)
    [record] = decide(each, whole(FAILURE), POLICY, NOW)
    assert record.key == b"dst_1-1"
    assert letter_of(record).attempts == [ATTEMPT] * 6
    assert told(each, whole(FAILURE)) == [("dead-letter", 6, 1, 1)]


def test_a_letter_has_everything_that_a_replay_needs() -> None:
    [record] = decide(tried(1), whole(DEAD), POLICY, NOW)
    assert letter_of(record) == DeadLetter(
        topic="audit.batches",
        partition=0,
        offset=3,
        at=NOW,
        reason="address-forbidden",
        detail="no",
        key=b"key",
        value=b"value",
        headers=[RecordHeader("h", b"v")],
        destination="dst_1",
        attempts=[ATTEMPT] * 2,
    )


def test_the_receivers_wish_picks_a_later_tier_never_an_earlier_one() -> None:
    for made, seconds, tier in ((0, 0.0, 1), (0, 30.0, 1), (0, 30.1, 2), (0, 1800.0, 4), (0, 1e60, 5), (3, 1.0, 4)):
        [record] = decide(tried(made), whole(replace(FAILURE, retry_after=seconds)), POLICY, NOW)
        assert record.topic == f"audit.batches.retry-{tier}"
        assert copy_of(record).not_before == NOW + POLICY.delays_ms[tier - 1]


def test_no_retry_is_made_that_would_come_too_late() -> None:
    began = NOW - 24 * HOUR + POLICY.delays_ms[1]
    assert decide(tried(1, began), whole(FAILURE), POLICY, NOW)[0].topic == "audit.batches.retry-2"
    assert letter_of(decide(tried(1, began - 1), whole(FAILURE), POLICY, NOW)[0]).reason == "status-500"


def test_what_could_not_be_sent_counts_no_attempt_is_seldom_rewritten_and_ends_by_its_age() -> None:
    each, now, tiers = parcel(batch()), NOW, []
    while True:
        [record] = decide(each, whole(UNSENT), POLICY, now)
        assert reports(each, whole(UNSENT), POLICY, now) == []
        if record.topic == "audit.dead-letters":
            break
        delivery = copy_of(record)
        assert (delivery.attempts, delivery.began) == ([], NOW)
        tiers.append(int(record.topic[-1]))
        each, now = parcel(batch(), delivery=delivery), delivery.not_before
    assert tiers == [1, 1, 2, 3, 4, 5, 5, 5, 5, 5]
    assert letter_of(record).attempts == []
    # Once it was sent, its age counts from there.
    [record] = decide(each, whole(FAILURE), POLICY, now)
    assert copy_of(record).began == ATTEMPT.at


def test_a_replayed_letter_is_taken_away_by_its_only_attempt_or_replaced() -> None:
    each = tried(6, letter="dst_1-1", replay="run")
    [record] = decide(each, whole(SUCCESS), POLICY, NOW)
    assert (record.topic, record.key, record.value) == ("audit.dead-letters", b"dst_1-1", None)
    for outcome in (FAILURE, UNSENT, DEAD):
        [record] = decide(each, whole(outcome), POLICY, NOW)
        assert record.key == b"dst_1-1"
        letter = letter_of(record)
        assert (letter.replay, letter.reason) == ("run", outcome.reason)
        assert len(letter.attempts) == 6 + (outcome.attempt is not None)
    assert told(each, whole(FAILURE)) == [("dead-letter", 7, 1, 1)]


def test_a_replay_of_what_was_delivered_is_tried_like_any_batch() -> None:
    [record] = decide(tried(0, replay="run"), whole(FAILURE), POLICY, NOW)
    assert (record.topic, copy_of(record).replay) == ("audit.batches.retry-1", "run")


def test_each_part_has_its_own_fate() -> None:
    split = Outcome(reason="status-413", verdict=Verdict.SPLIT, attempt=ATTEMPT)
    large = Outcome(reason="status-413", verdict=Verdict.DEAD, attempt=ATTEMPT)
    left = Outcome(reason="status-500", verdict=Verdict.RETRY)
    each = parcel(replace(batch(), first_event=11, last_event=18), 7)
    pieces = [
        Piece(0, 0, split), Piece(11, 14, SUCCESS), Piece(15, 18, split), Piece(15, 16, split), Piece(15, 15, large),
        Piece(16, 16, FAILURE), Piece(17, 18, left),
    ]  # fmt: skip
    letter, one, two = decide(each, pieces, POLICY, NOW)
    assert letter.key == b"dst_1-1-15-15"
    assert (letter_of(letter).first_event, letter_of(letter).last_event) == (15, 15)
    assert [(copy_of(record).first_event, copy_of(record).last_event) for record in (one, two)] == [(16, 16), (17, 18)]
    # A request that was answered by 413 is no failed attempt, and what was not sent had none.
    assert [len(copy_of(record).attempts) for record in (one, two)] == [1, 0]
    assert [record.topic for record in (one, two)] == ["audit.batches.retry-1"] * 2
    assert told(each, pieces) == [
        ("split", 1, 11, 18), ("delivered", 1, 11, 14), ("split", 1, 15, 18), ("split", 1, 15, 16),
        ("dead-letter", 1, 15, 15), ("retry-1", 1, 16, 16),
    ]  # fmt: skip


PARTLY = Outcome(reason="events-not-taken", verdict=Verdict.PARTLY, attempt=ATTEMPT)
AGAIN = Outcome(reason="events-not-taken", verdict=Verdict.RETRY, attempt=ATTEMPT)
NEVER = Outcome(reason="events-refused", verdict=Verdict.DEAD, attempt=ATTEMPT, detail="odd")


def partly(*shares: tuple[int, int, Outcome]) -> list[Piece]:
    """A request that was taken partly, of all that was sent."""
    return [Piece(0, 0, PARTLY), *(Piece(*share, share=True) for share in shares)]


def test_each_share_of_a_request_has_its_own_fate_and_has_had_the_attempt() -> None:
    each = parcel(replace(batch(), first_event=11, last_event=18), 7, delivery=Delivery(attempts=[ATTEMPT], began=NOW))
    pieces = partly((11, 12, SUCCESS), (13, 14, AGAIN), (15, 15, NEVER), (16, 18, SUCCESS))
    copy, letter = decide(each, pieces, POLICY, NOW)
    assert (copy.topic, copy.value) == ("audit.batches.retry-2", b"value")
    assert (copy_of(copy).first_event, copy_of(copy).last_event) == (13, 14)
    assert copy_of(copy).attempts == [ATTEMPT] * 2
    assert letter.key == b"dst_1-1-15-15"
    told_of = letter_of(letter)
    assert (told_of.reason, told_of.detail, told_of.attempts) == ("events-refused", "odd", [ATTEMPT] * 2)
    assert told(each, pieces) == [
        ("partly", 2, 11, 18), ("delivered", 2, 11, 12), ("retry-2", 2, 13, 14), ("dead-letter", 2, 15, 15),
        ("delivered", 2, 16, 18),
    ]  # fmt: skip


def test_a_replayed_letter_that_is_taken_partly_gives_way_to_those_of_what_is_left() -> None:
    part = Delivery(letter="dst_1-1-11-18", replay="run", first_event=11, last_event=18)
    each = parcel(replace(batch(), first_event=1, last_event=20), delivery=part)
    pieces = partly((11, 12, SUCCESS), (13, 14, AGAIN), (15, 18, NEVER))
    late, odd, old = decide(each, pieces, POLICY, NOW)
    assert [letter.key for letter in (late, odd)] == [b"dst_1-1-13-14", b"dst_1-1-15-18"]
    assert [letter_of(letter).replay for letter in (late, odd)] == ["run"] * 2
    assert (old.key, old.value) == (b"dst_1-1-11-18", None)


def test_the_letter_of_a_batch_gives_way_to_those_of_its_parts() -> None:
    split = Outcome(reason="status-413", verdict=Verdict.SPLIT, attempt=ATTEMPT)
    each = parcel(replace(batch(), last_event=2), delivery=Delivery(letter="dst_1-1", replay="run"))
    new, old = decide(each, [Piece(0, 0, split), Piece(1, 1, SUCCESS), Piece(2, 2, FAILURE)], POLICY, NOW)
    assert (new.key, letter_of(new).replay) == (b"dst_1-1-2-2", "run")
    assert (old.key, old.value) == (b"dst_1-1", None)
    part = Delivery(letter="dst_1-1-2-2", replay="run", first_event=2, last_event=2)
    [record] = decide(parcel(each.batch, delivery=part), [Piece(2, 2, FAILURE)], POLICY, NOW)
    assert record.key == b"dst_1-1-2-2"


def test_a_receiver_that_is_gone_disables_its_destination() -> None:
    letter, verdict = decide(parcel(batch()), whole(GONE), POLICY, NOW)
    assert letter_of(letter).reason == "status-410"
    assert (verdict.topic, verdict.key) == ("audit.destinations", b"dst_1")
    revision = decode_as(Revision, verdict.value or b"")
    assert (revision.state, revision.because, revision.changed_at) == ("disabled", "gone", NOW)
    # Above the revision that it is about; below what a person made of that meanwhile, whatever its nonce.
    assert revision.order > REVISION.order
    for nonce in ("0" * 16, "f" * 16):
        assert replace(REVISION, number=5, nonce=nonce).order > revision.order
    # Once is enough, and a person's deletion stays.
    assert disabled(revision, NOW) is None
    deleted = replace(GONE, revision=replace(REVISION, state="deleted"))
    assert len(decide(parcel(batch()), whole(deleted), POLICY, NOW)) == 1
    assert disabled(REVISION, NOW + 1) == replace(revision, changed_at=NOW + 1)


def test_what_cannot_be_read_is_named_by_its_place() -> None:
    outcome = Outcome(reason="unreadable", verdict=Verdict.DEAD, detail="bad")
    [record] = decide(parcel(None, 7), whole(outcome), POLICY, NOW)
    assert record.key == b"audit.batches/0@7"
    assert (letter_of(record).topic, letter_of(record).offset) == ("audit.batches", 7)
    assert reports(parcel(None, 7), whole(outcome), POLICY, NOW) == []


def test_a_test_has_a_result_and_nothing_else() -> None:
    failed = Outcome(reason="status-410", verdict=Verdict.SHOWN, attempt=ATTEMPT, revision=REVISION)
    unsent = Outcome(reason="cannot-unseal", verdict=Verdict.SHOWN, detail="no key")
    for outcome in (replace(SUCCESS, verdict=Verdict.SHOWN), failed, unsent):
        [record] = decide(parcel(batch(test=True)), whole(outcome), POLICY, NOW)
        assert (record.topic, record.key) == ("audit.status", b"test-1")
        result = decode_as(TestResult, record.value or b"")
        assert result.delivered == (outcome.reason is None)
        assert result.attempt == outcome.attempt or result.attempt.error == "cannot-unseal"
    assert told(parcel(batch(test=True)), whole(failed)) == [("none", 1, 1, 1)]


def test_a_parked_copy_keeps_what_was_tried() -> None:
    record = parked(tried(2, replay="run"), POLICY, NOW)
    assert (record.topic, record.key, record.value, record.partition) == (
        "audit.batches.parked", b"dst_1", b"value", 0,
    )  # fmt: skip
    assert copy_of(record) == replace(tried(2, replay="run").delivery, parked_at=NOW)
    assert told(tried(2), whole(FAILURE), stays=True) == [("parked", 3, 1, 1)]
    assert told(tried(2), whole(DEAD), stays=True) == [("dead-letter", 3, 1, 1)]


def test_the_newest_deliveries_are_remembered_by_place_and_digest() -> None:
    repeats = Repeats(limit=2)
    for sequence in (1, 2, 3):
        assert repeats.seen(batch(sequence=sequence)) is Seen.NEW
        repeats.delivered(batch(sequence=sequence))
    assert repeats.seen(batch(sequence=1)) is Seen.NEW
    assert repeats.seen(batch(sequence=3)) is Seen.REPEAT
    assert repeats.seen(batch(sequence=3, digest="e")) is Seen.CONFLICT
    repeats.delivered(batch(test=True))
    assert repeats.seen(batch(test=True)) is Seen.NEW


def test_manifests_are_remembered_by_id_since_they_stand_in_no_chain_of_batches() -> None:
    repeats = Repeats()
    first = replace(batch(sequence=0), id="dst_1-manifest-1")
    second = replace(first, id="dst_1-manifest-2", digest="e")
    repeats.delivered(first)
    assert repeats.seen(second) is Seen.NEW
    repeats.delivered(second)
    assert [repeats.seen(each) for each in (first, second)] == [Seen.REPEAT] * 2
    assert repeats.seen(replace(first, digest="e")) is Seen.CONFLICT
