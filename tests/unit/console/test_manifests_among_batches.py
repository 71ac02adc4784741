"""A manifest that is delivered travels as a batch does, and stands in no chain of batches: it is none of them."""

from msgspec.structs import replace

from auditcast.console.demo.account import _owed
from auditcast.console.in_batches import in_batch
from auditcast.console.kept import _original
from auditcast.console.letter_card import _told
from auditcast.console.letter_showing import letter_shape
from auditcast.console.letters import letter_in
from auditcast.console.sightings import Sighting
from auditcast.kafka.names import Topics
from auditcast.schemas.wire import encode
from tests.e2e.replays import batch_of, letter_of

TOPICS = Topics()
BATCH = batch_of("dst_1", 3)
MANIFEST = replace(
    BATCH, id=f"{BATCH.stream}-manifest-1", sequence=0, first_event=0, last_event=0, body=b'[{"note":"aud_1"}]'
)
"""A note in it may say anything, an event's id as well."""


class Message:
    """A record of `audit.batches`."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    def key(self) -> bytes:
        return b"dst_1"

    def headers(self) -> list[tuple[str, bytes]]:
        return []

    def value(self) -> bytes:
        return self._value


def test_an_event_is_not_found_in_what_a_manifest_says_of_it() -> None:
    seen = Sighting(partition=BATCH.partition, offset=BATCH.first_offset, timestamp=0)
    assert in_batch(encode(MANIFEST), "aud_1", seen, (0, 0, 0)) is None
    assert in_batch(encode(BATCH), "aud_5", seen, (0, 0, 0)) is not None


def test_it_is_none_of_the_batches_of_a_range() -> None:
    assert _original(Message(encode(MANIFEST)), "dst_1") is None  # type: ignore[arg-type]  # it is like one
    assert _original(Message(encode(BATCH)), "dst_1") == BATCH  # type: ignore[arg-type]  # as above


def test_its_dead_letter_has_no_numbers_and_owes_no_events() -> None:
    whole = letter_of(MANIFEST, TOPICS)
    letter = letter_in(b"key", 1, 2, encode(whole), TOPICS)
    shape = letter_shape(letter, None)
    assert [shape[name] for name in ("sequence", "first_event", "last_event")] == [None] * 3
    assert shape["stream"] == BATCH.stream
    told = dict(_told(letter, whole, None))
    assert told["Holds"] == "a manifest of the stream"
    assert not {"Sequence", "Events"} & set(told)
    assert _owed(whole) == 0
