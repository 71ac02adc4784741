"""What holds for every format, and that a version gives the same bytes for ever (tests/golden holds it to that)."""

import json
from pathlib import Path

import pytest
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.events import decode
from auditcast.schemas.formats import FORMATS, NEWEST, TAKEN, rendering
from auditcast.schemas.formats.base import chosen
from auditcast.schemas.records import Option
from tests.bodies import joined, place

FIXTURES = Path(__file__).parents[2]
EVENTS = [
    entry["admitted"].encode() for entry in json.loads((FIXTURES / "fixtures" / "events.json").read_text("utf-8"))
]
GOLDEN_PLACE = place(99, sequence=7, gap="1736936000000-1736937000000", previous_digest="5a" * 32)
LONGEST = place(10**19, stream="d" * 96, sequence=10**19, opened=10**13, gap=f"{10**13}-{10**13}")
INDIVISIBLE = {"slack/1"}
"""Formats whose body is one text, such as a digest for people."""

events = st.lists(st.sampled_from(EVENTS), min_size=1, max_size=5)


@pytest.mark.parametrize("name", FORMATS)
def test_a_version_never_changes_its_bytes(name: str) -> None:
    golden = FIXTURES / "golden" / f"{name.replace('/', '-')}.txt"
    assert joined(name, EVENTS, GOLDEN_PLACE) == golden.read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", FORMATS)
@given(chosen=events)
def test_a_body_is_no_larger_than_its_parts_promise(name: str, chosen: list[bytes]) -> None:
    form = rendering(name, [])
    promised = form.envelope_bytes + sum(len(form.render(decode(each), each)) + form.event_bytes for each in chosen)
    assert len(joined(name, chosen, LONGEST)) <= promised


@pytest.mark.parametrize("name", FORMATS)
@given(chosen=events)
def test_a_body_taken_apart_is_the_same_body_again(name: str, chosen: list[bytes]) -> None:
    body = joined(name, chosen, GOLDEN_PLACE)
    if name in INDIVISIBLE:
        with pytest.raises(ValueError, match="cannot be taken apart"):
            FORMATS[name].pieces(body)
        return
    pieces = FORMATS[name].pieces(body)
    assert len(pieces.items) == len(chosen)
    assert pieces.body() == body


@pytest.mark.parametrize("name", sorted(FORMATS.keys() - INDIVISIBLE))
def test_a_piece_tells_which_event_it_was_made_of(name: str) -> None:
    items = FORMATS[name].pieces(joined(name, EVENTS, GOLDEN_PLACE)).items
    assert [FORMATS[name].event_id(item) for item in items] == [decode(each).id for each in EVENTS]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("piece", [b"", b"[]", b"{}", b"{}\n{}", b'{"event":1}', b'["1"]', b"\xff"])
def test_other_bytes_tell_of_no_event(name: str, piece: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        FORMATS[name].event_id(piece)


@pytest.mark.parametrize("name", FORMATS)
def test_success_is_never_taken_from_a_server_that_failed(name: str) -> None:
    for status in (301, 400, 401, 403, 404, 410, 413, 429, 500, 502, 503, 504):
        assert FORMATS[name].judge(status, b"", 3) != TAKEN


@pytest.mark.parametrize("name", FORMATS)
def test_an_option_has_a_default_and_an_example_that_hold(name: str) -> None:
    options = FORMATS[name].options
    for option in options:
        assert chosen(options, {option.name: option.example})[option.name] == option.example
        assert chosen(options, {option.name: option.default})
    with pytest.raises(InvalidDestination, match="no option 'colour'"):
        chosen(options, {"colour": "blue"})


def test_a_person_gets_the_newest_version() -> None:
    for name, version in NEWEST.items():
        versions = [int(each.partition("/")[2]) for each in FORMATS if each.startswith(f"{name}/")]
        assert version == f"{name}/{max(versions)}"


@pytest.mark.parametrize("name", ["cloudevents/1", "cloudevents/2"])
def test_an_independent_library_reads_the_batch_and_its_sequence(name: str) -> None:
    body = joined(name, EVENTS, GOLDEN_PLACE)
    read = [JSONFormat().read(None, json.dumps(event)) for event in json.loads(body)]
    assert [event.get_extension("sequence") for event in read] == [f"{n:020}" for n in range(99, 99 + len(EVENTS))]
    if name == "cloudevents/2":
        assert {event.get_extension("auditbatch") for event in read} == {7}
        assert {event.get_extension("auditprevious") for event in read} == {"5a" * 32}


def test_the_content_type_of_a_batch_is_chosen_by_the_destination() -> None:
    assert rendering("cloudevents/2", []).content_type == "application/json"
    assert rendering("cloudevents/2", [Option("content_type", "batch")]).content_type.startswith(
        "application/cloudevents-batch+json"
    )
