"""Which offset of a partition may be committed: the end of the contiguous prefix of settled ones. Pure.

What is settled beyond it goes into the text that Kafka keeps with a committed offset, so that a successor need not
repeat it.
"""

import re
from collections import deque
from collections.abc import Iterable

Span = tuple[int, int]
"""The first and the last offset of a stretch."""

LONGEST_TEXT = 4000
"""Brokers take 4,096 bytes unless told otherwise."""

_TEXT = re.compile(r"(?:\d{1,19}-\d{1,19},)*\d{1,19}-\d{1,19}", re.ASCII)


class Prefix:
    """Offsets begun in increasing order (the log may have holes) and settled in any order.

    `known` are stretches that predecessors settled.
    """

    __slots__ = ("_begun", "_end", "_settled", "known")

    def __init__(self) -> None:
        self.known: list[Span] = []
        self._begun: deque[int] = deque()
        self._settled: set[int] = set()
        self._end = 0

    def begin(self, offset: int) -> bool:
        """`offset` was read; it must be above all that were begun before. Whether a predecessor has settled it."""
        if offset < self._end:
            raise ValueError(f"offset {offset} was read after {self._end - 1}")
        self._begun.append(offset)
        self._end = offset + 1
        self.known = [span for span in self.known if span[1] >= offset]
        return any(first <= offset for first, _ in self.known)

    def settle(self, offset: int) -> int:
        """Nothing is left to do for `offset`, which was begun and not settled yet.

        Returns where a successor has to read on: all that was begun before is settled.
        """
        if offset in self._settled:
            raise ValueError(f"offset {offset} was settled twice")
        self._settled.add(offset)
        while self._begun and self._begun[0] in self._settled:
            self._settled.remove(self._begun.popleft())
        return self.next

    @property
    def empty(self) -> bool:
        """Whether nothing was begun, so that nothing is known."""
        return self._end == 0

    @property
    def next(self) -> int:
        """Where a successor has to read on, unless it is `empty`."""
        return self._begun[0] if self._begun else self._end

    @property
    def beyond(self) -> list[Span]:
        """What is settled from `next` on."""
        spans: list[Span] = []
        for offset in sorted(self._settled):
            if spans and spans[-1][1] == offset - 1:
                spans[-1] = (spans[-1][0], offset)
            else:
                spans.append((offset, offset))
        return spans + [(max(first, self._end), last) for first, last in self.known if last >= self._end]


def text_of(spans: Iterable[Span]) -> str:
    """`spans` as text that fits beside a committed offset; what has no room is left out."""
    text = ",".join(f"{first}-{last}" for first, last in spans)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rpartition(",")[0]


def spans_in(text: str | None) -> list[Span]:
    """The spans in such a text; none if somebody else wrote it."""
    if text is None or not _TEXT.fullmatch(text):
        return []
    pairs = (span.split("-") for span in text.split(","))
    return [(int(first), int(last)) for first, last in pairs]
