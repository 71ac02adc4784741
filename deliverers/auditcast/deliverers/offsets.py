"""Which offset of a partition may be committed: the end of the contiguous prefix of settled ones. Pure."""

from collections import deque


class Prefix:
    """Offsets begun in increasing order (the log may have holes) and settled in any order."""

    __slots__ = ("_begun", "_end", "_settled")

    def __init__(self) -> None:
        self._begun: deque[int] = deque()
        self._settled: set[int] = set()
        self._end = 0

    def begin(self, offset: int) -> None:
        """`offset` was read; it must be above all that were begun before."""
        if offset < self._end:
            raise ValueError(f"offset {offset} was read after {self._end - 1}")
        self._begun.append(offset)
        self._end = offset + 1

    def settle(self, offset: int) -> int:
        """Nothing is left to do for `offset`, which was begun and not settled yet.

        Returns where a successor has to read on: all that was begun before is settled.
        """
        if offset in self._settled:
            raise ValueError(f"offset {offset} was settled twice")
        self._settled.add(offset)
        while self._begun and self._begun[0] in self._settled:
            self._settled.remove(self._begun.popleft())
        return self._begun[0] if self._begun else self._end
