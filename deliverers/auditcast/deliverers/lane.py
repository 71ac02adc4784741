"""The queue of one destination: in order, one in flight. Pure."""

from collections import deque
from collections.abc import Callable

from auditcast.deliverers.parcels import Claim, Parcel


class Lane:
    """What waits for one destination, and the parcel in flight; `bytes` counts both.

    A test goes next, before the batches that wait: a person waits for its result, and it stands in no chain.
    """

    __slots__ = ("_batches", "_tests", "bytes", "flying", "source", "took_off")

    def __init__(self, source: Claim) -> None:
        self._batches: deque[Parcel] = deque()
        self._tests: deque[Parcel] = deque()
        self.flying: Parcel | None = None
        self.took_off = 0.0
        self.bytes = 0
        self.source = source
        """The claim that the newest parcel was read under: where more of them will come from."""

    def __len__(self) -> int:
        return len(self._tests) + len(self._batches) + (self.flying is not None)

    def add(self, parcel: Parcel) -> None:
        """Queue `parcel`."""
        test = parcel.batch is not None and parcel.batch.is_test
        (self._tests if test else self._batches).append(parcel)
        self.bytes += parcel.size
        self.source = parcel.claim

    def take(self, now: float) -> Parcel | None:
        """The next parcel, which is in flight from `now` on; None if nothing waits. Nothing may be in flight."""
        if self.flying is not None:
            raise RuntimeError("a parcel of this lane is still in flight")
        queue = self._tests or self._batches
        self.flying = queue.popleft() if queue else None
        self.took_off = now
        return self.flying

    def landed(self) -> int:
        """The parcel in flight is done with; returns the bytes that became free."""
        if self.flying is None:
            raise RuntimeError("no parcel of this lane is in flight")
        size, self.flying = self.flying.size, None
        self.bytes -= size
        return size

    def withdraw(self, unwanted: Callable[[Parcel], bool]) -> list[Parcel]:
        """Take out what waits and is `unwanted`, in order. What is in flight goes on."""
        taken = [parcel for parcel in (*self._tests, *self._batches) if unwanted(parcel)]
        if taken:
            self._tests = deque(parcel for parcel in self._tests if not unwanted(parcel))
            self._batches = deque(parcel for parcel in self._batches if not unwanted(parcel))
            self.bytes -= sum(parcel.size for parcel in taken)
        return taken
