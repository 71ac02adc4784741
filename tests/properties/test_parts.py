"""Splitting loses nothing: whatever a receiver's limit, its parts join to the very batch that the chain knows.

And whatever it says of single events, each of them ends up delivered, in one copy, or in one dead letter.
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.deliverers.attempts import Errand
from auditcast.deliverers.courier import Courier
from auditcast.deliverers.fate import Policy, decide, reports
from auditcast.deliverers.judging import MOST_SPANS, judge
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parts import Part, halves, part_of
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.schemas import events
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Attempt, Attempted, Batch, DeadLetter, Delivery, Revision
from auditcast.schemas.wire import decode_as
from tests.bodies import joined, numbered
from tests.unit.deliverers.parcels import batch, parcel
from tests.unit.deliverers.telling import Telling
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


TOPICS = Topics()
POLICY = Policy(TOPICS, (1000,) * 5, 10**9)
NOW = 1_700_000_000_000
REVISION = Revision(destination="dst_1", number=1, nonce="", state="active", changed_at=0, epoch="e")

spans = st.lists(st.tuples(st.integers(-1, 40), st.integers(-1, 40)), max_size=30)
told = st.fixed_dictionaries({"again": spans, "never": spans, "unread": st.none() | st.integers(-1, 40)})
stops = st.integers(0, 40).map(lambda at: {"again": [[at + 1, 39]], "never": [[at, at]], "unread": at + 1})
"""One who reads no further than to an event that is none."""

answers = st.tuples(st.sampled_from([200, 400, 429]), told | stops) | st.tuples(
    st.sampled_from([200, 413, 500]), st.none()
)


class Receiver:
    """In the place of the one that makes requests, and of what knows where to: answers as it is told to."""

    def __init__(self, answer: Callable[[], tuple[int, object]]) -> None:
        self._answer = answer
        self._kind = Telling()

    async def target(self, *_: object) -> SimpleNamespace:
        """Somewhere, as far as a courier looks at it."""
        return SimpleNamespace(revision=REVISION)

    def halted(self, _: str) -> bool:
        """Never."""
        return False

    async def attempt(self, errand: Errand, part: Part) -> Outcome:
        """One request."""
        status, said = self._answer()
        judged = judge(errand.batch, self._kind, part, status, json.dumps(said).encode())
        return Outcome(
            reason=judged.reason,
            verdict=judged.verdict,
            attempt=Attempt(at=NOW, latency_ms=0, status=status),
            shares=judged.shares,
            unread=judged.unread,
        )


def owned(pieces: list[Piece], whole: tuple[int, int]) -> list[int]:
    """The numbers of all events that have a fate, as often as they have one."""
    requests = {Verdict.SPLIT, Verdict.PARTLY}
    ends = [
        (piece.first_event or whole[0], piece.last_event or whole[1])
        for piece in pieces
        if piece.outcome.verdict not in requests
    ]
    return [number for first, last in ends for number in range(first, last + 1)]


@given(st.integers(1, 40), st.integers(1, 10**6), st.booleans(), st.data())
async def test_whatever_is_answered_every_event_has_one_end(
    count: int, first: int, replayed: bool, data: st.DataObject
) -> None:
    receiver = Receiver(lambda: data.draw(answers))
    courier = Courier(receiver, receiver, wait_s=0)  # type: ignore[arg-type]  # it stands for both
    body = numbered([b'{"id":"%d"}' % number for number in range(first, first + count)], first)
    whole = replace(batch(), first_event=first, last_event=first + count - 1, body=body)
    begun = Delivery(letter="dst_1-1", replay="run") if replayed else Delivery()
    waiting, ends = [parcel(whole, delivery=begun)], Counter[int]()
    while waiting:
        each = waiting.pop()
        due = each.delivery.first_event or first, each.delivery.last_event or whole.last_event
        pieces = await courier.deliver(each)
        assert sorted(owned(pieces, due)) == list(range(due[0], due[1] + 1))
        copies = check(each, pieces, due, ends)
        waiting += [parcel(whole, delivery=copy) for copy in copies]
    assert ends == Counter(range(first, first + count))


def check(each: Parcel, pieces: list[Piece], due: tuple[int, int], ends: Counter[int]) -> list[Delivery]:
    """The copies that follow; `ends` counts what was delivered, or is a dead letter now."""
    appended = decide(each, pieces, POLICY, NOW)
    fates = [decode_as(Attempted, record.value or b"") for record in reports(each, pieces, POLICY, NOW)]
    copies = [decode_as(Delivery, dict(one.headers)[HEADER]) for one in appended if one.topic in TOPICS.retries]
    letters = [decode_as(DeadLetter, one.value) for one in appended if one.topic == TOPICS.dead_letters and one.value]
    requests = sum(not piece.share and piece.outcome.attempt is not None for piece in pieces)
    assert len(copies) + len(letters) <= requests * MOST_SPANS + len(pieces) - len(fates)
    here = Counter[int]()
    for piece in fates:
        if piece.fate == "delivered":
            here.update(range(piece.first_event, piece.last_event + 1))
    for letter in letters:
        here.update(range(letter.first_event or due[0], (letter.last_event or due[1]) + 1))
    ends.update(here)
    for copy in copies:
        here.update(range(copy.first_event or due[0], (copy.last_event or due[1]) + 1))
    assert here == Counter(range(due[0], due[1] + 1))
    return copies
