"""What a payload format is: how an event is rendered, how a batch is joined, when an answer means success."""

from collections.abc import Sequence
from typing import Protocol


class Format(Protocol):
    """One version of one format. All of it is pure: the same events give the same bytes for ever."""

    name: str
    """`name/version`."""

    content_type: str
    max_body_bytes: int
    """The largest body that the receivers of this format take."""

    envelope_bytes: int
    """Bytes of a body around its events."""

    event_bytes: int
    """Bytes that joining adds to each rendered event, its separator included."""

    def render(self, event: bytes) -> bytes:
        """One event, given in the minimal form of events.py, as this format has it, not yet numbered."""

    def join(self, rendered: Sequence[bytes], first: int) -> bytes:
        """A body of events numbered from `first` on; its size is at most what the byte counts above promise."""

    def events(self, body: bytes) -> list[bytes]:
        """What `join` put into a body, one piece for each event, in order; raises `ValueError` for any other bytes."""

    def rejoin(self, events: Sequence[bytes]) -> bytes:
        """A body of some of these pieces; of all of them it is the very same body again."""

    def accepts(self, status: int, answer: bytes) -> bool:
        """Whether this answer means that every event was taken."""
