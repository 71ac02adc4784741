"""Sets of whole numbers that mostly follow each other, kept as stretches. Pure."""

from bisect import bisect_left, bisect_right

Span = tuple[int, int]
"""The first and the last number of a stretch."""


class Intervals:
    """Takes as much memory as there are stretches, however many numbers are in them."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> None:
        """Put the numbers `first` to `last` in."""
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        if low < high:
            first, last = min(first, self._firsts[low]), max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]

    def split(self, first: int, last: int) -> tuple[list[Span], list[Span]]:
        """What of `first` to `last` is in the set, and what is not."""
        inside: list[Span] = []
        outside: list[Span] = []
        at = first
        place = bisect_left(self._lasts, first)
        while place < len(self._firsts) and self._firsts[place] <= last:
            begin, end = max(first, self._firsts[place]), min(last, self._lasts[place])
            if at < begin:
                outside.append((at, begin - 1))
            inside.append((begin, end))
            at = end + 1
            place += 1
        if at <= last:
            outside.append((at, last))
        return inside, outside

    @property
    def spans(self) -> list[Span]:
        """The stretches, in order."""
        return list(zip(self._firsts, self._lasts, strict=True))


def size(span: Span) -> int:
    """How many numbers a stretch has."""
    return span[1] - span[0] + 1
