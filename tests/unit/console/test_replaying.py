"""A run of a replay gives each destination its items in order, never too many, and forgets none."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from auditcast.console.replaying import ENOUGH, MOST_AT_ONCE, Item, Run


def item(destination: str, sequence: int) -> Item:
    return Item(
        key=f"{destination}-{sequence}", destination=destination, partition=0, offset=sequence, events=1,
        sequence=sequence,
    )  # fmt: skip


@given(
    sizes=st.dictionaries(st.sampled_from("abc"), st.integers(1, 40), min_size=1),
    verdicts=st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["delivered", "delivered", "failed", "elsewhere"])), max_size=100
    ),
)
def test_whatever_the_verdicts_are(sizes: dict[str, int], verdicts: list[tuple[int, str]]) -> None:
    run = Run("rpl_1", [item(name, number) for number in range(40) for name in sizes if number < sizes[name]])
    sent: dict[str, list[int]] = defaultdict(list)
    flying: list[Item] = []
    row: dict[str, int] = defaultdict(int)
    for which, verdict in [*verdicts, *[(0, "delivered")] * 200]:
        while (out := run.next()) is not None:
            assert row[out.destination] < ENOUGH
            sent[out.destination].append(out.sequence)
            flying.append(out)
        for name in sizes:
            under_way = sum(1 for each in flying if each.destination == name)
            assert under_way <= MOST_AT_ONCE
            assert under_way == len(run.courses[name].flying)
        if not flying:
            break
        landed = flying.pop(which % len(flying))
        if verdict == "elsewhere":
            run.settled_elsewhere(landed.key)
            continue
        assert run.landed(landed.key, delivered=verdict == "delivered", why="status-503")
        assert not run.landed(landed.key, delivered=True)
        if row[landed.destination] < ENOUGH:  # what lands later does not undo it
            row[landed.destination] = 0 if verdict == "delivered" else row[landed.destination] + 1
    assert run.finished
    for name, course in run.courses.items():
        assert sent[name] == list(range(len(sent[name])))
        assert course.delivered + course.failed + course.elsewhere + course.left == sizes[name]
        assert course.given_up == (row[name] >= ENOUGH)
        assert course.given_up or not course.left


def test_a_receiver_that_is_down_is_asked_three_times_one_at_a_time() -> None:
    run = Run("rpl_1", [item("a", number) for number in range(100)])
    for _ in range(ENOUGH):
        out = run.next()
        assert out is not None
        assert run.next() is None
        run.landed(out.key, delivered=False, why="status-503")
    assert run.next() is None
    assert run.finished
    assert (run.courses["a"].failed, run.courses["a"].left, run.courses["a"].why) == (3, 97, "status-503")


def test_what_was_settled_before_its_turn_is_not_sent() -> None:
    run = Run("rpl_1", [item("a", number) for number in range(3)])
    run.settled_elsewhere("a-0")
    run.settled_elsewhere("a-0")
    run.settled_elsewhere("unknown")
    out = run.next()
    assert out is not None
    assert out.sequence == 1
    assert run.courses["a"].elsewhere == 1
