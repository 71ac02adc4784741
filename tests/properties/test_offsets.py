"""What may be committed never passes what is unsettled, in whatever order work ends."""

from hypothesis import given
from hypothesis import strategies as st

from auditcast.deliverers.offsets import LONGEST_TEXT, Prefix, spans_in, text_of


@given(
    gaps=st.lists(st.integers(1, 5), min_size=1, max_size=30),
    start=st.integers(0, 10**12),
    draw=st.data(),
)
def test_the_prefix_ends_at_the_first_unsettled_offset(gaps: list[int], start: int, draw: st.DataObject) -> None:
    prefix = Prefix()
    offsets = [start + sum(gaps[: index + 1]) for index in range(len(gaps))]
    begun: list[int] = []
    open_: set[int] = set()
    last = -1
    while offsets or open_:
        if offsets and (not open_ or draw.draw(st.booleans())):
            offset = offsets.pop(0)
            prefix.begin(offset)
            begun.append(offset)
            open_.add(offset)
        else:
            offset = draw.draw(st.sampled_from(sorted(open_)))
            open_.remove(offset)
            committable = prefix.settle(offset)
            assert committable == min(open_, default=begun[-1] + 1)
            assert committable >= last
            last = committable


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(0, 60), st.integers(0, 60))
def test_a_successor_repeats_nothing_that_was_settled(
    first: set[int], second: set[int], read_first: int, read_second: int
) -> None:
    """Two owners one after the other, each of which reads up to somewhere and settles some of it."""
    settled: set[int] = set()
    known, start = "", 0
    for some, end in ((first, read_first), (second, read_second)):
        prefix = Prefix()
        prefix.known = spans_in(known)
        for offset in range(start, max(end, start + 1)):
            assert prefix.begin(offset) == (offset in settled)
            if offset in some or offset in settled:
                prefix.settle(offset)
                settled.add(offset)
        start, known = prefix.next, text_of(prefix.beyond)
        assert {offset for a, b in spans_in(known) for offset in range(a, b + 1)} == {
            offset for offset in settled if offset >= start
        }


def test_what_has_no_room_is_left_out_and_what_others_wrote_is_ignored() -> None:
    text = text_of([(10**18 + 2 * n, 10**18 + 2 * n) for n in range(1000)])
    assert LONGEST_TEXT - 50 < len(text) <= LONGEST_TEXT
    assert spans_in(text) == [(10**18 + 2 * n, 10**18 + 2 * n) for n in range(len(spans_in(text)))]
    for other in (None, "", "x", "1-2,", "1", "1-2;3-4", "-1-2"):
        assert spans_in(other) == []
