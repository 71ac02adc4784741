"""What an audit log sends its events into: Kafka (kafka_channel.py), or a list in memory (testing/memory.py)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

Settle = Callable[[str | None], None]
"""Called once: with None when an event is durable, or with the reason why it is not."""

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class DeliveryFailure:
    """An event that is not durable. `value` are its bytes, for who wants to keep them and emit them again."""

    id: str
    workspace: str
    reason: str
    value: bytes = field(repr=False)


class Channel(Protocol):
    """A way out for events, usable from any thread."""

    broken: bool
    """Whether it takes no more events, so that another one must be opened."""

    trouble: str | None
    """The last trouble with the broker, as a sentence; it may be over."""

    def __len__(self) -> int:
        """Events that are neither durable nor given up, and perhaps a few things that only the channel knows of."""

    def send(self, key: str, value: bytes, headers: Headers, max_block: float, settle: Settle | None) -> None:
        """Take one event; raises `BufferFull` after `max_block` seconds without room, and `Closed`."""

    def flush(self, timeout: float) -> int:
        """Wait until all that was sent is settled, at most `timeout` seconds; 0 if it is, else about how many."""

    def close(self, timeout: float) -> int:
        """Take nothing more, flush, and give up what is left after `timeout` seconds; how many that were."""

    def retire(self) -> None:
        """Take nothing more; what is on its way is still settled."""
