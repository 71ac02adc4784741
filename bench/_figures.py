"""Numbers from appends and receipts, for tables."""

from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from _receivers import Receipt

Batch = tuple[str, int]
"""Destination and sequence."""


class Delays(NamedTuple):
    """Milliseconds from append to receipt."""

    p50: float
    p99: float
    longest: float


class Book:
    """What was delivered: when each batch was first answered 200, and how often anything came."""

    def __init__(self) -> None:
        self.first: dict[Batch, float] = {}
        self.repeated = 0
        self.refused = 0

    def note(self, receipts: Iterable[Receipt]) -> None:
        """Enter receipts, in the order of time."""
        for receipt in receipts:
            batch = (receipt.destination, receipt.sequence)
            if receipt.status != 200:
                self.refused += 1
            elif batch in self.first:
                self.repeated += 1
            else:
                self.first[batch] = receipt.at

    def owed(self, appended: Collection[Batch]) -> int:
        """How many of these have not come."""
        return sum(batch not in self.first for batch in appended)

    def delays(self, appended: Mapping[Batch, float], names: Collection[str], span: tuple[float, float]) -> Delays:
        """Of the batches for `names` that were appended within `span`; all of them must have come."""
        found = sorted(
            (self.first[batch] - at) * 1000
            for batch, at in appended.items()
            if span[0] <= at < span[1] and batch[0] in names
        )
        return Delays(found[len(found) // 2], found[int(len(found) * 0.99)], found[-1])

    def start(self, name: str) -> float:
        """When a destination got its first batch."""
        return min(at for (destination, _), at in self.first.items() if destination == name)

    def silence(self, name: str) -> float:
        """The longest time, in seconds, between its first and its last batch in which a destination got nothing."""
        times = sorted(at for (destination, _), at in self.first.items() if destination == name)
        return max(after - before for before, after in pairwise(times))
