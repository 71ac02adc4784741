"""A batch on its way through this process: what was read, and the claim under which it was read. Plain data."""

from enum import Enum

from auditcast.deliverers.offsets import Prefix
from auditcast.schemas.records import Batch, Delivery

OVERHEAD = 1_500
"""Bytes that a parcel takes beside its two copies of the body, measured."""


class Source(Enum):
    """Where a parcel comes from."""

    BATCHES = "batches"
    RETRY = "retry"
    PARKED = "parked"


class Claim:
    """One assignment of a partition to this process; dead once revoked, and a new assignment is a new claim.

    Work done under a dead claim has no consequences: the partition's next owner does it again.
    """

    __slots__ = ("live", "partition", "prefix", "source", "topic")

    def __init__(self, topic: str, partition: int, source: Source = Source.BATCHES) -> None:
        self.topic = topic
        self.partition = partition
        self.source = source
        self.prefix = Prefix()
        self.live = True


class Parcel:
    """One record of a topic of batches. Either `batch` is set, or `problem` says why the record cannot be read.

    `delivery` is what a copy carries beside the batch, `headers` are the record's others.
    """

    __slots__ = ("batch", "claim", "delivery", "headers", "key", "offset", "problem", "size", "value")

    def __init__(  # noqa: PLR0913  (a record's fields)
        self,
        claim: Claim,
        offset: int,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: list[tuple[str, bytes]],
        delivery: Delivery | None = None,
        batch: Batch | None = None,
        problem: str = "",
    ) -> None:
        self.claim = claim
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.delivery = delivery or Delivery(offset=offset)
        self.batch = batch
        self.problem = problem
        self.size = OVERHEAD + len(value or b"") + (len(batch.body) if batch else 0)

    @property
    def lane(self) -> str:
        """The lane that it goes through; what cannot be read has one of its own, which no destination's id names.

        What is parked is owed by the destination that its key names, whether it can be read or not.
        """
        if self.claim.source is Source.PARKED:
            return (self.key or b"").decode(errors="replace")
        return self.batch.destination if self.batch else ""
