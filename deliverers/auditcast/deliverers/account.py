"""Everything that the owner of a destination knows of how it fares. Pure."""

import msgspec

from auditcast.deliverers.backlog import Backlog
from auditcast.deliverers.offsets import Span
from auditcast.deliverers.outcomes import Piece, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.standing import Standing
from auditcast.schemas.records import Attempt, Delivered, Delivery, Status

NEWEST_STREAMS = 64
"""Streams whose newest delivered sequence is told; an organization's destination has one in each partition."""

_TAKEN = {Verdict.DELIVERED, Verdict.SPLIT}
_THERE = {Verdict.DELIVERED, Verdict.PARTLY}
"""What only a receiver that is well answers."""


class Account:
    """One destination's, for as long as this process owns its partition."""

    __slots__ = (
        "_delivered",
        "_first_probe",
        "_head",
        "_status",
        "backlog",
        "destination",
        "partition",
        "probes_in_vain",
        "standing",
        "told",
    )  # fmt: skip

    def __init__(self, destination: str, partition: int, probe_s: float, status: Status | None) -> None:
        self.destination = destination
        self.partition = partition
        self.standing = Standing(probe_s)
        self.backlog = Backlog()
        self.told: Span | None = None
        """What was last written of what is released."""
        self._head = -1
        self._first_probe: Delivery | None = None
        self.probes_in_vain = 0
        """Those made with the parked batch that the newest was made with."""
        self._status = status or Status(destination=destination, at=0)
        self._delivered = {one.stream: one.sequence for one in self._status.delivered}
        if status is not None:
            self.standing.restore(status)

    def take_over(self, backlog: Backlog) -> None:
        """Go on with what an earlier owner left parked; how much it is, is known from what it told."""
        backlog.batches, backlog.events = self._status.parked, self._status.parked_events
        backlog.since = self._status.parked_since
        self.backlog = backlog

    def attempted(self, parcel: Parcel, pieces: list[Piece], now: float) -> None:
        """Take note of what the attempts to deliver `parcel` tell of the receiver, at `now` in seconds."""
        for piece in pieces:
            attempt, verdict = piece.outcome.attempt, piece.outcome.verdict
            if attempt is None:
                if verdict is Verdict.RETRY:
                    self.standing.unsent(now)
                continue
            if piece.share:
                continue  # of a request that is noted
            self.standing.apart_s = piece.outcome.apart_s
            if verdict is Verdict.RETRY:
                self.standing.failed(attempt, now, piece.outcome.retry_after)
            elif verdict in _THERE:
                self.standing.succeeded(attempt, now)
            else:
                self.standing.answered(attempt, now)
        taken = all(piece.outcome.verdict in _TAKEN for piece in pieces)
        batch = parcel.batch
        if taken and batch is not None and not batch.is_manifest and not parcel.delivery.first_event:
            self._deliver(batch.stream, batch.sequence)

    def _deliver(self, stream: str, sequence: int) -> None:
        self._delivered[stream] = max(self._delivered.pop(stream, 0), sequence)
        if len(self._delivered) > NEWEST_STREAMS:
            del self._delivered[next(iter(self._delivered))]

    def probed_in_vain(self, offset: int, delivery: Delivery, attempt: Attempt | None, now: int) -> Delivery:
        """A probe failed that was made with the batch parked at `offset`; what is known of that batch's delivery.

        Its age begins with the first probe, but it stays what it is otherwise: a probe asks for the receiver.
        """
        if self._head != offset or self._first_probe is None:
            began = delivery.began or now
            attempts = delivery.attempts or ([attempt] if attempt else [])
            self._first_probe = msgspec.structs.replace(delivery, began=began, attempts=attempts)
            self._head, self.probes_in_vain = offset, 0
        self.probes_in_vain += 1
        return self._first_probe

    def dead_letters(self, count: int, reason: str, now: int) -> None:
        """So many dead letters were made, at `now` in ms."""
        self._status = msgspec.structs.replace(
            self._status, dead_letters=self._status.dead_letters + count, last_dead_letter=now, last_reason=reason
        )

    def status(self, waiting: int, now: int) -> Status:
        """What people are told, at `now` in ms, with so many batches in memory."""
        standing, backlog = self.standing, self.backlog
        return msgspec.structs.replace(
            self._status,
            at=now,
            last=standing.last,
            last_success=standing.last_success,
            failures=standing.failures,
            failing_since=standing.failing_since,
            open=standing.open,
            waiting=waiting,
            parked=backlog.batches,
            parked_events=backlog.events,
            parked_since=backlog.since,
            delivered=[Delivered(stream, sequence) for stream, sequence in self._delivered.items()],
        )
