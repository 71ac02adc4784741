"""Which batches this process delivered lately, so that one that the processor wrote twice goes out once. Pure."""

from collections import OrderedDict
from enum import Enum

from auditcast.schemas.records import Batch

REMEMBERED = 50_000
"""Batches remembered, about 300 bytes each. Forgetting one costs a repeated delivery, identical to the first."""


class Seen(Enum):
    """What is known of a place in a stream."""

    NEW = "new"
    REPEAT = "repeat"
    CONFLICT = "conflict"
    """Another batch was delivered at this very place: the chain is broken, and somebody has to look."""


class Repeats:
    """The digests of the newest `limit` batches delivered, by their place in the chain."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._digests: OrderedDict[_Place, str] = OrderedDict()

    def seen(self, batch: Batch) -> Seen:
        """Whether `batch` was delivered. A test never was: it has no place in a chain."""
        digest = self._digests.get(_place(batch))
        if digest is None:
            return Seen.NEW
        return Seen.REPEAT if digest == batch.digest else Seen.CONFLICT

    def delivered(self, batch: Batch) -> None:
        """Remember that `batch` was taken by its receiver."""
        if batch.is_test:
            return
        self._digests[_place(batch)] = batch.digest
        if len(self._digests) > self._limit:
            self._digests.popitem(last=False)


_Place = tuple[str, int] | str


def _place(batch: Batch) -> _Place:
    """Its place in the chain of batches; a manifest stands in none, and has an id of its own."""
    return batch.id if batch.is_manifest else (batch.stream, batch.sequence)
