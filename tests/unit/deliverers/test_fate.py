"""Where a batch goes that was not delivered, and what is remembered of those that were."""

from auditcast.deliverers.fate import decide
from auditcast.deliverers.outcomes import Outcome
from auditcast.deliverers.repeats import Repeats, Seen
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, DeadLetter, RecordHeader, TestResult
from auditcast.schemas.wire import decode_as
from tests.unit.deliverers.parcels import batch, parcel

ATTEMPT = Attempt(at=1, latency_ms=2, status=500, answer="no")
FAILURE = Outcome(reason="status-500", detail="", attempt=ATTEMPT)
SUCCESS = Outcome(reason=None, attempt=ATTEMPT)


def test_a_success_leaves_nothing_to_do() -> None:
    assert decide(parcel(batch()), SUCCESS, Topics(), 9) is None


def test_a_failure_is_a_dead_letter_with_everything_that_a_replay_needs() -> None:
    record = decide(parcel(batch(), 7), FAILURE, Topics(), 9)
    assert record is not None
    assert (record.topic, record.key) == ("audit.dead-letters", b"dst_1-1")
    assert decode_as(DeadLetter, record.value) == DeadLetter(
        topic="audit.batches",
        partition=0,
        offset=7,
        at=9,
        reason="status-500",
        detail="",
        key=b"key",
        value=b"value",
        headers=[RecordHeader("h", b"v")],
        destination="dst_1",
        attempts=[ATTEMPT],
    )


def test_what_cannot_be_read_is_named_by_its_place() -> None:
    record = decide(parcel(None, 7), Outcome(reason="unreadable", detail="bad"), Topics(), 9)
    assert record is not None
    assert record.key == b"audit.batches/0@7"


def test_a_test_has_a_result_and_never_a_dead_letter() -> None:
    for outcome in (SUCCESS, FAILURE, Outcome(reason="cannot-unseal", detail="no key")):
        record = decide(parcel(batch(test=True)), outcome, Topics(), 9)
        assert record is not None
        assert (record.topic, record.key) == ("audit.status", b"test-1")
        result = decode_as(TestResult, record.value)
        assert result.delivered == (outcome.reason is None)
        assert result.attempt == outcome.attempt or result.attempt.error == "cannot-unseal"


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
