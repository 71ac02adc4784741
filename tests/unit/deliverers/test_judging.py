"""What an answer means event by event: every event has one share, few enough of them are left over."""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.deliverers.judging import MOST_SPANS, Judged, judge, shares
from auditcast.deliverers.outcomes import Share, Verdict
from auditcast.deliverers.parts import Part, part_of
from auditcast.schemas.formats import FORMATS, Format, Judgement, Pieces, Span
from auditcast.schemas.records import Batch
from tests.bodies import numbered
from tests.unit.deliverers.parcels import batch
from tests.unit.deliverers.telling import Telling

T, A, N = Verdict.DELIVERED, Verdict.RETRY, Verdict.DEAD
BODY = numbered([b'{"id":"%d"}' % number for number in range(11, 17)], 11)
BATCH = replace(batch(), first_event=11, last_event=16, body=BODY)
WHOLE = Part(0, 0, BODY)

spans = st.lists(st.tuples(st.integers(-3, 110), st.integers(-3, 110)), max_size=60)


class Whole(Telling):
    """One whose bodies cannot be taken apart."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces = self._refuse

    def _refuse(self, body: bytes) -> Pieces:
        raise ValueError("a digest cannot be taken apart")


def judged(
    again: Sequence[Span] = (),
    never: Sequence[Span] = (),
    *,
    status: int = 200,
    kind: Format | None = None,
    about: tuple[Batch, Part] = (BATCH, WHOLE),
) -> Judged:
    answer = json.dumps({"again": again, "never": never, "detail": "so it is"}).encode()
    return judge(about[0], kind or Telling(), about[1], status, answer)


def pattern(found: Sequence[Share]) -> list[Verdict]:
    """The verdict of each event."""
    return [share.verdict for share in found for _ in range(share.first, share.last + 1)]


def test_events_fare_differently() -> None:
    one = judged([(1, 2)], [(4, 4)])
    assert (one.reason, one.verdict, one.detail) == ("events-not-taken", Verdict.PARTLY, "so it is")
    assert one.shares == [Share(0, 0, T), Share(1, 2, A), Share(3, 3, T), Share(4, 4, N), Share(5, 5, T)]
    assert judged((), [(4, 4)]).reason == "events-refused"


def test_all_of_them_fare_alike() -> None:
    assert judged() == Judged(None, Verdict.DELIVERED)
    assert judged((), [(0, 2), (3, 5)]) == Judged("events-refused", Verdict.DEAD, "so it is")
    assert judged([(0, 5)]) == Judged("not-accepted", Verdict.RETRY, "so it is")
    # Whatever the status says to who does not read the answer.
    for status in (410, 413):
        assert judged([(0, 5)], status=status) == Judged(f"status-{status}", Verdict.RETRY, "so it is")


def test_an_answer_that_tells_nothing_of_events_is_for_the_status_to_judge() -> None:
    for status, verdict in ((200, A), (308, A), (410, Verdict.GONE), (413, Verdict.SPLIT), (500, A)):
        assert judge(BATCH, Telling(), WHOLE, status, b"null").verdict is verdict


def test_positions_are_those_in_the_part_that_was_sent() -> None:
    kind = Telling()
    part = part_of(BATCH, FORMATS[BATCH.format], 13, 15)
    one = judged([(0, 0)], kind=kind, about=(BATCH, part))
    assert kind.asked == [3]
    assert one.shares == [Share(0, 0, A), Share(1, 2, T)]
    # A test and a manifest are one event that has no number.
    assert judged((), [(0, 0)], about=(replace(BATCH, first_event=0, last_event=0), WHOLE)).verdict is Verdict.DEAD


def test_a_body_of_which_no_parts_can_be_made_is_sent_again_as_a_whole() -> None:
    broken = replace(BATCH, last_event=17)
    for one in (
        judged([(1, 1)], [(2, 2)], kind=Whole()),
        judged((), [(2, 2)], kind=Whole()),
        judged((), [(2, 2)], about=(broken, WHOLE)),
    ):
        assert one == Judged("not-accepted", Verdict.RETRY, "so it is")
    # But none of them all can be taken.
    assert judged((), [(0, 5)], kind=Whole()).verdict is Verdict.DEAD


@given(spans, spans, st.integers(1, 100))
def test_every_event_has_one_share_and_few_stretches_are_left(again: list[Span], never: list[Span], count: int) -> None:
    found = shares(Judgement(again, never), count)
    assert [share.first for share in found] == [0, *(share.last + 1 for share in found[:-1])]
    assert found[-1].last == count - 1
    assert all(share.first <= share.last for share in found)
    assert sum(share.verdict is not T for share in found) <= MOST_SPANS
    asked_for, refused = (
        {position for first, last in these for position in range(first, last + 1)} for these in (again, never)
    )
    for position, verdict in enumerate(pattern(found)):
        if verdict is T:
            assert position not in asked_for | refused
        elif verdict is N:
            assert position in refused - asked_for
        # Only joining sends again what was taken, or would be refused once more.
        elif position not in asked_for:
            assert sum(share.verdict is not T for share in found) == MOST_SPANS


def test_the_nearest_stretches_are_joined() -> None:
    lone = [(number, number) for number in range(0, 80, 10)]
    found = shares(Judgement(again=[*lone, (78, 78)]), 100)
    assert [(share.first, share.last) for share in found if share.verdict is A] == [*lone[:7], (70, 78)]
    # Two that can never be taken are sent once more, with the one between.
    found = shares(Judgement(never=[*lone, (72, 72)]), 100)
    assert [(share.first, share.last) for share in found if share.verdict is A] == [(70, 72)]
    assert [(share.first, share.last) for share in found if share.verdict is N] == lone[:7]


def test_none_of_the_joined_grows_large() -> None:
    """So that in the next round each of them has few enough stretches of its own."""
    found = shares(Judgement(never=[(number, number) for number in range(0, 100, 2)]), 100)
    assert max(share.last - share.first for share in found) < 2 * 100 / MOST_SPANS
