"""Splitting loses nothing: whatever a receiver's limit, its parts join to the very batch that the chain knows."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.deliverers.parts import Part, halves, part_of
from auditcast.schemas import events
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch
from tests.bodies import joined
from tests.unit.deliverers.parcels import batch
from tests.unit.schemas.test_formats import INDIVISIBLE

FIXTURES = Path(__file__).parents[1] / "fixtures"
EVENTS = [entry["admitted"].encode() for entry in json.loads((FIXTURES / "events.json").read_text("utf-8"))]
FIRST = events.decode(EVENTS[0])
TRICKY = [
    events.encode(replace(FIRST, data=replace(FIRST.data, metadata=metadata)))
    for metadata in ({"a": "],[{"}, {"a": [1, [2, {"b": "\\"}]]}, {"a": '"]'}, {"a": "é\u0000\n\u2028"})
]

formats = st.sampled_from(sorted(FORMATS.keys() - INDIVISIBLE))
several = st.lists(st.sampled_from(EVENTS + TRICKY), min_size=1, max_size=30)
firsts = st.integers(1, 10**15)


def batched(name: str, chosen: list[bytes], first: int) -> Batch:
    body = joined(name, chosen, first)
    return replace(batch(), format=name, first_event=first, last_event=first + len(chosen) - 1, body=body)


@given(formats, several, firsts)
def test_a_body_rejoined_is_the_same_body(name: str, chosen: list[bytes], first: int) -> None:
    kind, whole = FORMATS[name], batched(name, chosen, first)
    pieces = kind.pieces(whole.body)
    assert len(pieces.items) == len(chosen)
    assert pieces.body() == whole.body
    # A part is what the processor would have made of those events alone.
    if len(chosen) > 1:
        assert pieces.body(1) == joined(name, chosen[1:], first + 1)


@given(formats, several, firsts, st.integers(1, 2000))
def test_the_parts_that_fit_join_to_the_batch_again(name: str, chosen: list[bytes], first: int, limit: int) -> None:
    kind, whole = FORMATS[name], batched(name, chosen, first)
    waiting, taken = [Part(0, 0, whole.body)], []
    while waiting:
        part = waiting.pop()
        smaller = halves(whole, kind, part) if len(part.body) > limit else []
        if smaller:
            waiting += reversed(smaller)
        else:
            taken.append(part)
            # A copy that travels as its numbers only is the same part again.
            assert part_of(whole, kind, part.first_event, part.last_event) == part
    assert all(len(part.body) <= limit or part.first_event == part.last_event for part in taken)
    pieces = kind.pieces(whole.body)
    items = [item for part in taken for item in kind.pieces(part.body).items]
    assert replace(pieces, items=items).body() == whole.body
    ends = [(part.first_event or whole.first_event, part.last_event or whole.last_event) for part in taken]
    assert [start for start, _ in ends] == [whole.first_event, *(end + 1 for _, end in ends[:-1])]
    assert ends[-1][1] == whole.last_event
