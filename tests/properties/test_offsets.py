"""What may be committed never passes what is unsettled, in whatever order work ends."""

from hypothesis import given
from hypothesis import strategies as st

from auditcast.deliverers.offsets import Prefix


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
