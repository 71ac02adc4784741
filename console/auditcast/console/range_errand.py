"""Batches sent again although they were delivered: what their copies carry, and how one learns what became of each."""

from collections.abc import Iterator
from typing import Self, cast

from auditcast.console.ranges import Kept
from auditcast.console.replaying import Item
from auditcast.console.sending import Copy, Fate, Verdict
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Lookup, Scan
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Attempted, Delivery
from auditcast.schemas.wire import decode_as, encode


class RangeErrand:
    """A context manager. The verdict on a copy is its first attempt: what fails then is the deliverer's to retry."""

    def __init__(self, connection: Connection, partition: int) -> None:
        topics = Topics(connection.topic_prefix)
        self._lookup = Lookup(connection, topics.batches)
        self._attempts = Scan(connection, topics.attempts, [partition])

    def __enter__(self) -> Self:
        try:
            self._attempts.skip_to_end()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._attempts.__exit__()
        self._lookup.__exit__()

    def copy(self, item: Item, run: str) -> Copy | None:
        """The record as it lies there, marked; None if it expired meanwhile."""
        message = self._lookup.get(item.partition, item.offset)
        if message is None:
            return None
        headers = cast("list[tuple[str, bytes | None]] | None", message.headers()) or []
        delivery = encode(Delivery(offset=item.offset, replay=run))
        marked = [*((name, content or b"") for name, content in headers), (HEADER, delivery)]
        return Copy(item.partition, message.value() or b"", marked)

    def verdicts(self, run: str, wait_s: float) -> Iterator[Verdict]:
        """One for each attempt at a copy of this run."""
        for message in self._attempts.after(wait_s):
            try:
                attempted = decode_as(Attempted, message.value() or b"")
            except Undecodable:
                continue  # whatever it is, it is no report
            verdict = verdict_in(attempted, run)
            if verdict is not None:
                yield verdict


def item_of(destination: str, batch: Kept) -> Item:
    """A batch, as something to send."""
    return Item(
        key=batch.id,
        destination=destination,
        partition=batch.partition,
        offset=batch.offset,
        events=batch.events,
        sequence=batch.sequence,
    )


def verdict_in(attempted: Attempted, run: str) -> Verdict | None:
    """What a report says about the copies of `run`, if anything; of one split, or taken partly, its first part does."""
    if attempted.replay != run or attempted.fate in ("split", "partly"):
        return None
    if attempted.fate == "delivered":
        return Verdict(attempted.batch, Fate.DELIVERED)
    attempt = attempted.attempt
    why = attempt.error or f"status-{attempt.status}"
    return Verdict(attempted.batch, Fate.FAILED, f"{why}: {attempt.detail}" if attempt.detail else why)
