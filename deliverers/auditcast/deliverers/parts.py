"""Parts of a batch that is too large for its receiver: halves of its events, halved again as often as it takes. Pure.

Halving the same range gives the same halves, so any two of them lie one within the other, or apart. Parts that follow
from what a receiver said of single events (judging.py) may overlap with any other.
"""

from msgspec import Struct

from auditcast.schemas.formats import Format
from auditcast.schemas.records import Batch


class Part(Struct, frozen=True):
    """What is sent of a batch. The whole of it has 0 for `first_event` and `last_event`, as everywhere."""

    first_event: int
    last_event: int
    body: bytes


def part_id(batch: Batch, first_event: int, last_event: int) -> str:
    """The `webhook-id` of a part; the batch's own for the whole."""
    return f"{batch.id}-{first_event}-{last_event}" if first_event else batch.id


def part_of(batch: Batch, kind: Format, first_event: int, last_event: int) -> Part:
    """A part of `batch`; raises `ValueError` if its body has no such events."""
    if not first_event:
        return Part(0, 0, batch.body)
    pieces = kind.pieces(batch.body)
    first, last = first_event - batch.first_event, last_event - batch.first_event
    if not 0 <= first <= last < len(pieces.items):
        raise ValueError(f"its body does not hold the events {first_event}-{last_event}")
    return Part(first_event, last_event, pieces.body(first, last))


def halves(batch: Batch, kind: Format, part: Part) -> list[Part]:
    """`part` in two, in order; empty if it is a single event, or if the batch is not what it says."""
    first, last = (part.first_event or batch.first_event), (part.last_event or batch.last_event)
    try:
        pieces = kind.pieces(part.body)
    except ValueError:
        return []
    count = len(pieces.items)
    if count != last - first + 1 or count < 2:
        return []
    middle = count // 2
    return [
        Part(first, first + middle - 1, pieces.body(0, middle - 1)),
        Part(first + middle, last, pieces.body(middle, count - 1)),
    ]
