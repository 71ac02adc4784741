"""Splitting loses nothing: whatever a receiver's limit, its parts join to the very batch that the chain knows."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.deliverers.parts import Part, halves, part_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch
from tests.unit.deliverers.parcels import batch

FIXTURES = Path(__file__).parents[1] / "fixtures"
EVENTS = [entry["admitted"].encode() for entry in json.loads((FIXTURES / "events.json").read_text("utf-8"))]
TRICKY = [b'{"a":"],[{"}', b'{"a":[1,[2,{"b":"\\\\"}]]}', b'{"a":"\\"]"}', '{"a":"é\\u0000"}'.encode()]

formats = st.sampled_from(sorted(FORMATS))
events = st.lists(st.sampled_from(EVENTS + TRICKY), min_size=1, max_size=30)
firsts = st.integers(1, 10**15)


def batched(name: str, chosen: list[bytes], first: int) -> Batch:
    kind = FORMATS[name]
    body = kind.join([kind.render(event) for event in chosen], first)
    return replace(batch(), format=name, first_event=first, last_event=first + len(chosen) - 1, body=body)


@given(formats, events, firsts)
def test_a_body_rejoined_is_the_same_body(name: str, chosen: list[bytes], first: int) -> None:
    kind, whole = FORMATS[name], batched(name, chosen, first)
    pieces = kind.events(whole.body)
    assert len(pieces) == len(chosen)
    assert kind.rejoin(pieces) == whole.body
    # A part is what the processor would have made of those events alone.
    assert kind.rejoin(pieces[1:]) == kind.join([kind.render(event) for event in chosen[1:]], first + 1)


@given(formats, events, firsts, st.integers(1, 2000))
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
    assert kind.rejoin([piece for part in taken for piece in kind.events(part.body)]) == whole.body
    ends = [(part.first_event or whole.first_event, part.last_event or whole.last_event) for part in taken]
    assert [start for start, _ in ends] == [whole.first_event, *(end + 1 for _, end in ends[:-1])]
    assert ends[-1][1] == whole.last_event
