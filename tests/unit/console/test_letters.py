"""What a dead letter is to those who choose among them, and what can never be sent again."""

import pytest

from auditcast.console.letters import Filters, Letter, letter_in
from auditcast.kafka.names import Topics
from auditcast.processors.effects import Bury
from auditcast.processors.keys import Keys
from auditcast.processors.partition import Partition, Place
from auditcast.processors.state import State
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.e2e.replays import batch_of, letter_of
from tests.unit.processors.test_partition import Record

TOPICS = Topics()


def read(key: str, letter: DeadLetter) -> Letter:
    return letter_in(key.encode(), 1, 2, encode(letter), TOPICS)


def buried(value: bytes) -> Letter:
    """The letter that a processor writes for a record."""
    core = Partition(Place(TOPICS.events, 3, 4), 0, State(), Keys(Sealer([new_key()]), None))
    [effect] = core.step(Record(17, 1_700_000_000_000, b"ws_1", value)) or []
    assert isinstance(effect, Bury)
    return read(effect.key, effect.letter)


def test_a_processors_letter_says_where_its_record_lay() -> None:
    letter = buried(b"{")
    assert (letter.destination, letter.sender, letter.reason) == (None, "ws_1", "undecodable")
    assert (letter.topic, letter.source_partition, letter.source_offset) == (TOPICS.events, 3, 17)
    assert (letter.stream, letter.events, letter.hindrance) == ("", 1, "")


def test_what_was_not_kept_whole_cannot_be_sent_again() -> None:
    assert buried(b"{" + b" " * 1_900_000).hindrance == "only its beginning was kept"


def test_a_deliverers_letter_tells_of_its_batch_and_the_last_attempt() -> None:
    letter = read("key", letter_of(batch_of("dst_1", 3), TOPICS))
    assert (letter.batch, letter.stream, letter.sequence) == ("dst_1-0-0f-3", "dst_1-0-0f", 3)
    assert (letter.first_event, letter.last_event, letter.events) == (5, 6, 2)
    assert (letter.attempts, letter.last, letter.hindrance) == (6, "status-503", "")


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        (Filters(), True),
        (Filters(keys=("other",)), False),
        (Filters(workspace="ws_1"), True),
        (Filters(workspace="ws_2"), False),
        (Filters(sequence=(1, 2)), False),
        (Filters(sequence=(3, 3), destination="dst_1", reason="status-503"), True),
    ],
)
def test_letters_are_chosen_by_everything_that_is_given(filters: Filters, matches: bool) -> None:
    letter = read("key", letter_of(batch_of("dst_1", 3), TOPICS))
    assert filters.match(letter, {"dst_1": "ws_1"}.get) is matches


def test_times_are_from_and_to_before() -> None:
    letter = read("key", letter_of(batch_of("dst_1", 3), TOPICS))
    assert Filters(since=letter.at, until=letter.at + 1).match(letter, lambda _: None)
    assert not Filters(since=letter.at + 1).match(letter, lambda _: None)
    assert not Filters(until=letter.at).match(letter, lambda _: None)
