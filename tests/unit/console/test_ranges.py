"""What is said of batches that were asked for and are not there."""

import pytest

from auditcast.console.ranges import Ambiguous, Kept, Range, Span, missing, only_one


def kept(*sequences: int, stream: str = "s") -> list[Kept]:
    return [
        Kept(id=f"{stream}-{number}", stream=stream, sequence=number, events=1, partition=0, offset=number)
        for number in sequences
    ]


@pytest.mark.parametrize(
    ("asked", "held", "sentences"),
    [
        ((5, 8), (5, 6, 7, 8), []),
        ((7, 7), (5, 6, 7, 8), []),
        ((3, 6), (5, 6, 7, 8), ["s: batches 3 to 4 expired, and cannot be sent again"]),
        ((1, 2), (5, 6, 7, 8), ["s: batches 1 to 2 expired, and cannot be sent again"]),
        ((4, 9), (5, 6, 7, 8), ["s: batch 4 expired, and cannot be sent again", "s: there is no batch 9 yet"]),
        ((20, 30), (5, 6, 7, 8), ["s: there is no batch from 20 to 30 yet"]),
        (
            (5, 9),
            (5, 8, 10),
            ["s: batches 6 to 7 are not where they should be", "s: batch 9 is not where it should be"],
        ),
    ],
)
def test_numbers_without_a_batch_are_named(asked: tuple[int, int], held: tuple[int, ...], sentences: list[str]) -> None:
    wanted = Range(destination="d", sequence=asked)
    found = [each for each in kept(*held) if wanted.holds("s", each.sequence, 0)]
    assert list(missing(wanted, {"s": Span(held[0], held[-1], 1000)}, found)) == sentences


def test_of_a_time_only_what_may_have_been_in_it_is_named() -> None:
    spans = {"s": Span(5, 8, 10_000), "t": Span(1, 2, 10_000)}
    assert list(missing(Range(destination="d", since=10_000), spans, [])) == []
    assert list(missing(Range(destination="d", stream="t", since=0), spans, [])) == []
    [told] = missing(Range(destination="d", since=9_999), spans, [])
    assert told == "s: batches 1 to 4 expired, so what was opened before 1970-01-01 00:00:10Z cannot be sent again"


def test_a_number_that_several_streams_have_is_no_number() -> None:
    spans = {"s": Span(5, 8, 0), "t": Span(1, 1, 0)}
    with pytest.raises(Ambiguous, match=r"say which with --stream: s \(5 to 8\), t \(1\)"):
        only_one(Range(destination="d", sequence=(1, 1)), spans)
    only_one(Range(destination="d", sequence=(1, 1), stream="t"), spans)
    only_one(Range(destination="d", since=1), spans)
