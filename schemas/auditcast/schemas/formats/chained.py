"""Where a batch stands in its chain, as members of a JSON object, for receivers that keep no headers."""

from typing import Any

import msgspec

from auditcast.schemas.chain import GENESIS, NO_GAP
from auditcast.schemas.formats.base import MAX_NUMBER_BYTES, MAX_STREAM_BYTES, Place

MAX_GAP_BYTES = 2 * MAX_NUMBER_BYTES + 1


def chained(place: Place) -> dict[str, Any]:
    """The batch's stream and number, when it was opened (ms), the gap before it, if any, the digest before its own."""
    gap = {} if place.gap == NO_GAP else {"gap": place.gap}
    return {
        "stream": place.stream,
        "batch": place.sequence,
        "opened": place.opened,
        **gap,
        "previous": place.previous_digest,
    }


_NOWHERE = Place(stream="", sequence=0, first_event=0, opened=0, gap="", previous_digest=GENESIS)
MAX_CHAINED_BYTES = (
    len(msgspec.json.encode(chained(_NOWHERE))) + MAX_STREAM_BYTES + 2 * MAX_NUMBER_BYTES + MAX_GAP_BYTES
)
"""The largest that `chained` is as JSON."""
