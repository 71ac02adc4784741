"""Which batch holds an event, and as its which. Pure."""

import msgspec
from msgspec import Struct

from auditcast.schemas.records import Batch
from auditcast.schemas.wire import decode_as


class InBatch(Struct, frozen=True, kw_only=True):
    """A batch with the event, at `offset` of `partition` of `audit.batches`, appended at `at` ms.

    `number` is the event's in the stream; None if the format does not tell.
    """

    id: str
    stream: str
    sequence: int
    number: int | None
    partition: int
    offset: int
    at: int


class _Identified(Struct):
    id: str


_identified = msgspec.json.Decoder(list[_Identified]).decode


def in_batch(value: bytes, event: str, events_partition: int, place: tuple[int, int, int]) -> InBatch | None:
    """The batch in a record at `place` (partition, offset, ms), if it holds the event of that partition of the log."""
    needle = msgspec.json.encode(event)
    if needle not in value:
        return None
    batch = decode_as(Batch, value)
    if batch.is_test or batch.is_manifest or batch.partition != events_partition:
        return None
    number = None
    try:
        ids = [each.id for each in _identified(batch.body)]
    except msgspec.MsgspecError:
        ids = []  # a format in which events have another shape; that the id stands there is all that can be told
    if ids:
        if event not in ids:
            return None
        number = batch.first_event + ids.index(event)
    partition, offset, at = place
    return InBatch(
        id=batch.id,
        stream=batch.stream,
        sequence=batch.sequence,
        number=number,
        partition=partition,
        offset=offset,
        at=at,
    )


def concerns(first: int, last: int, batch: InBatch) -> bool:
    """Whether the event is among those numbered `first` to `last`; 0 to 0 is the whole batch."""
    return batch.number is None or not last or first <= batch.number <= last
