"""Which batch holds an event, and which events a dead letter owes: whatever the format of the body."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from auditcast.console.in_batches import InBatch, in_batch
from auditcast.console.letter_card import card, owed
from auditcast.console.letters import Letter, letter_in
from auditcast.console.sightings import Sighting
from auditcast.kafka.names import Topics
from auditcast.schemas.events import decode
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch, DeadLetter
from auditcast.schemas.wire import encode
from tests.bodies import joined
from tests.e2e.replays import batch_of, letter_of

TOPICS = Topics()
FIXTURE = Path(__file__).parents[2] / "fixtures" / "events.json"
EVENTS = [entry["admitted"].encode() for entry in json.loads(FIXTURE.read_text("utf-8"))][:3]
IDS = [decode(each).id for each in EVENTS]
DIVISIBLE = sorted(FORMATS.keys() - {"slack/1"})


def made(form: str) -> Batch:
    """Events 11 to 13, which lie at the offsets 100, 105 and 110: others between them are not for this destination."""
    batch = replace(batch_of("dst_1", 3), first_event=11, last_event=13, first_offset=100, last_offset=110)
    return replace(batch, format=form, body=joined(form, EVENTS, 11))


def found(form: str, event: str, offset: int, *, wanted: bool = True) -> InBatch | None:
    seen = Sighting(partition=0, offset=offset, timestamp=0)
    return in_batch(encode(made(form)), event, seen, (1, 7, 0), wanted=wanted)


@pytest.mark.parametrize("form", DIVISIBLE)
def test_an_event_is_found_with_its_number(form: str) -> None:
    for position, event in enumerate(IDS):
        place = found(form, event, 100 + 5 * position)
        assert place is not None
        assert place.number == 11 + position


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_event_that_lies_elsewhere_is_not_found(form: str) -> None:
    assert found(form, IDS[0], 99) is None
    assert found(form, IDS[0], 111) is None


@pytest.mark.parametrize("form", DIVISIBLE)
def test_an_event_that_others_only_speak_of_is_not_found(form: str) -> None:
    assert found(form, decode(EVENTS[0]).data.actor.id, 103) is None


def test_a_digest_holds_what_lies_where_it_was_made_from_and_was_wanted() -> None:
    place = found("slack/1", "aud_any", 103)
    assert place is not None
    assert place.number is None
    assert found("slack/1", "aud_any", 103, wanted=False) is None


def letter_about(form: str, first: int, last: int) -> tuple[Letter, DeadLetter]:
    whole = replace(letter_of(made(form), TOPICS), first_event=first, last_event=last)
    return letter_in(b"key", 1, 2, encode(whole), TOPICS), whole


@pytest.mark.parametrize("form", DIVISIBLE)
def test_a_dead_letter_owes_the_events_that_it_is_about(form: str) -> None:
    letter, whole = letter_about(form, 12, 12)
    events = owed(whole, letter)
    assert events is not None
    assert len(events) == 1
    told = json.dumps(events)
    assert IDS[1] in told
    assert IDS[0] not in told


def test_of_a_digest_a_dead_letter_shows_what_was_to_be_sent() -> None:
    letter, whole = letter_about("slack/1", 0, 0)
    console = Console(width=200)
    with console.capture() as said:
        console.print(card(letter, whole, None))
    assert 'What is owed begins:\n  {"text":"Audit log' in said.get()
