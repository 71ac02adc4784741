"""A format's version gives the same bytes for ever: the files in tests/golden hold it to that."""

import json
from pathlib import Path

import pytest
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from auditcast.schemas.formats import FORMATS, NEWEST

FIXTURES = Path(__file__).parents[2]
EVENTS = [
    entry["admitted"].encode() for entry in json.loads((FIXTURES / "fixtures" / "events.json").read_text("utf-8"))
]


@pytest.mark.parametrize("name", FORMATS)
def test_a_version_never_changes_its_bytes(name: str) -> None:
    form = FORMATS[name]
    golden = FIXTURES / "golden" / f"{name.replace('/', '-')}.txt"
    body = form.join([form.render(event) for event in EVENTS], first=99)
    assert body == golden.read_bytes().removesuffix(b"\n")


@pytest.mark.parametrize("name", FORMATS)
@given(chosen=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=5), first=st.integers(1, 10**19))
def test_a_body_is_no_larger_than_its_parts_promise(name: str, chosen: list[bytes], first: int) -> None:
    form = FORMATS[name]
    rendered = [form.render(event) for event in chosen]
    promised = form.envelope_bytes + sum(len(each) + form.event_bytes for each in rendered)
    assert len(form.join(rendered, first)) <= promised


def test_a_person_gets_a_version_that_exists() -> None:
    assert set(NEWEST.values()) <= set(FORMATS)


def test_an_independent_library_reads_the_batch_and_its_sequence() -> None:
    body = FORMATS["cloudevents/1"].join(EVENTS, first=7)
    sequences = []
    for event in json.loads(body):
        read = JSONFormat().read(None, json.dumps(event))
        sequences.append(read.get_extension("sequence"))
    assert sequences == [f"{number:020}" for number in range(7, 7 + len(EVENTS))]
