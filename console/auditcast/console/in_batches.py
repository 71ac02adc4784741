"""Which batch holds an event, and as its which. Pure."""

from msgspec import Struct

from auditcast.console.sightings import Sighting
from auditcast.schemas.formats import FORMATS
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


def in_batch(
    value: bytes, event: str, seen: Sighting, place: tuple[int, int, int], *, wanted: bool = True
) -> InBatch | None:
    """The batch in a record at `place` (partition, offset, ms), if it holds the event that was `seen` in the log.

    A body that does not tell which events it was made of holds all that lie where its batch was made from, and that
    were `wanted`: let through by the destination's filters.
    """
    batch = decode_as(Batch, value)
    if batch.is_test or batch.is_manifest or batch.partition != seen.partition:
        return None
    if not batch.first_offset <= seen.offset <= batch.last_offset:
        return None
    ids = _ids(batch)
    if (event not in ids) if ids else not wanted:
        return None
    number = batch.first_event + ids.index(event) if ids else None
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


def _ids(batch: Batch) -> list[str]:
    """Those of its events in their order; empty if its body tells none, or if its format is not known here."""
    form = FORMATS.get(batch.format)
    try:
        return [] if form is None else [form.event_id(piece) for piece in form.pieces(batch.body).items]
    except ValueError:
        return []


def concerns(first: int, last: int, batch: InBatch) -> bool:
    """Whether the event is among those numbered `first` to `last`; 0 to 0 is the whole batch."""
    return batch.number is None or not last or first <= batch.number <= last
