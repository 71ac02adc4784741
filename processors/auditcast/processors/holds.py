"""Which offsets a commit must not pass, because an effect of theirs is not durable yet."""

import heapq

from auditcast.processors.windows import NEVER


class Holds:
    """A multiset of offsets with its minimum."""

    def __init__(self) -> None:
        self._count: dict[int, int] = {}
        self._heap: list[int] = []

    def add(self, offset: int) -> None:
        """Hold the commit at `offset`."""
        if offset in self._count:
            self._count[offset] += 1
        else:
            self._count[offset] = 1
            heapq.heappush(self._heap, offset)

    def release(self, offset: int) -> None:
        """One effect that held `offset` is durable."""
        left = self._count[offset] - 1
        if left:
            self._count[offset] = left
        else:
            del self._count[offset]

    def lowest(self) -> int:
        """The lowest offset held; `NEVER` if none is."""
        while self._heap and self._heap[0] not in self._count:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else NEVER
