"""The chaos runs' account of where each batch lies: it must notice one that lies nowhere."""

from auditcast.console.demo.reading import Record
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Batch, DeadLetter, Delivery
from auditcast.schemas.wire import encode
from tests.chaos.places import HEADER, Places, Span

TOPICS = Topics()
BATCH = Batch(
    id="s-1", destination="d", revision_number=1, revision_nonce="00", stream="s", sequence=1, first_event=1,
    last_event=4, partition=0, first_offset=0, last_offset=3, opened=0, format="cloudevents/1", gap="-",
    body_sha256="", previous_digest="", digest="", body=b"[1,2,3,4]",
)  # fmt: skip
VALUE = encode(BATCH)
RETRY = TOPICS.retries[1]


def record(offset: int, value: bytes | None = VALUE, key: bytes = b"d", delivery: Delivery | None = None) -> Record:
    headers = [(HEADER, encode(delivery))] if delivery else []
    return Record(2, offset, 0, key, value, headers)


def seen(*records: tuple[str, Record]) -> Places:
    places = Places(TOPICS)
    for topic, one in ((TOPICS.batches, record(0)), *records):
        places.take(topic, one)
    return places


def lost(places: Places, received: set[Span], retried: int = 0) -> tuple[int, dict[str, int]]:
    """How many events are nowhere, and where the others wait; the batch itself is behind the committed offset."""
    owed = places.owed(lambda known: received, {(TOPICS.batches, 2): 1, (RETRY, 2): retried})
    return len(owed.nowhere), owed.waiting


def letter(first: int, last: int) -> bytes:
    owed = DeadLetter(
        topic=TOPICS.batches, partition=2, offset=0, at=0, reason="r", detail="", value=VALUE, destination="d",
        first_event=first, last_event=last,
    )  # fmt: skip
    return encode(owed)


def test_what_was_received_is_owed_no_more_and_what_is_nowhere_is_lost() -> None:
    assert lost(seen(), {(1, 4)}) == (0, {})
    assert lost(seen(), {(1, 2), (4, 4)}) == (1, {})
    assert lost(seen(), set()) == (4, {})


def test_a_batch_waits_until_its_offset_is_committed() -> None:
    assert seen().owed(lambda known: (), {}).waiting == {"waiting": 4}


def test_a_copy_for_a_retry_counts_until_it_is_committed() -> None:
    places = seen((RETRY, record(7, delivery=Delivery(first_event=3, last_event=4))))
    assert lost(places, {(1, 2)}, retried=7) == (0, {"retry": 2})
    assert lost(places, set(), retried=7) == (2, {"retry": 2})
    assert lost(places, {(1, 2)}, retried=8) == (2, {})


def test_what_is_parked_counts_where_a_marker_leads_to_it_until_it_is_released() -> None:
    places = seen((TOPICS.parked, record(5)))
    for key, value, nowhere in (
        (b"parked/d@6", b"x", 4),
        (b"parked/d@3", b"x", 0),
        (b"released/d@3-4", b"x", 0),
        (b"released/d@3-5", b"x", 4),
        (b"released/d@3-5", None, 0),
        (b"parked/d@3", None, 4),
    ):
        places.take(TOPICS.status, record(0, value, key))
        assert lost(places, set())[0] == nowhere, key


def test_a_dead_letter_counts_until_it_is_resolved() -> None:
    places = seen((TOPICS.dead_letters, record(0, letter(1, 3), b"s-1-1-3")))
    assert lost(places, set()) == (1, {"dead letter": 3})
    places.take(TOPICS.dead_letters, record(1, None, b"s-1-1-3"))
    assert lost(places, set()) == (4, {})


def test_a_copy_unlike_its_batch_is_told() -> None:
    other = Record(3, 0, 0, b"d", VALUE, [])
    changed = encode(Batch(**{name: getattr(BATCH, name) for name in BATCH.__struct_fields__} | {"body": b"[1,2,3]"}))
    for strange in (record(0, changed), record(0, key=b"e"), other):
        assert len(seen((RETRY, strange)).strange) == 1
    assert seen((RETRY, record(0))).strange == []
