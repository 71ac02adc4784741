"""One stream: a destination within a partition, with its open window and the end of its chain."""

from auditcast.processors.effects import PutBatch
from auditcast.schemas.chain import NO_GAP, batch_id, body_digest, link_digest
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch, Link, RevisionInForce

NO_ROOM = -1
"""Less than any event takes."""


class Stream:
    """What is collected for one destination here; `link` is its newest batch's, and `covered` that batch's last offset.

    A window is open while `events` is not empty; it holds rendered events that are numbered when it closes. `size` of
    the `room` bytes between a body's brackets are taken. While nothing is `collecting` there is no room: so the events
    of a disabled destination are told from others by a comparison that each event needs anyway.
    """

    __slots__ = (
        "covered",
        "events",
        "format",
        "last_offset",
        "link",
        "most_events",
        "name",
        "opened",
        "opened_at",
        "partition",
        "room",
        "rule",
        "size",
    )

    def __init__(self, partition: int, rule: RevisionInForce, link: Link) -> None:
        self.name = rule.stream
        self.partition = partition
        self.link = link
        self.covered = link.last_offset
        self.events: list[bytes] = []
        self.opened = self.opened_at = self.last_offset = self.size = 0
        self.obey(rule)

    def obey(self, rule: RevisionInForce) -> None:
        """Collect under `rule` from now on; the window must be closed."""
        revision = rule.revision
        self.rule = rule
        self.format = FORMATS[revision.format]
        room = min(revision.max_body_bytes, self.format.max_body_bytes) - self.format.envelope_bytes
        self.room = room if revision.collecting else NO_ROOM
        self.most_events = revision.window_events

    @property
    def collecting(self) -> bool:
        """Whether events are batched, or only counted."""
        return self.rule.revision.collecting

    def open(self, offset: int, timestamp: int) -> None:
        """Begin a window at its first event."""
        self.opened = timestamp
        self.opened_at = offset
        self.size = 0

    def close(self) -> PutBatch:
        """The batch of the open window, which is closed by it."""
        link, revision = self.link, self.rule.revision
        sequence = link.sequence + 1
        first, last = link.last_event + 1, link.last_event + len(self.events)
        body = self.format.join(self.events, first)
        digest_of_body = body_digest(body)
        gap = self._gap()
        digest = link_digest(
            stream=self.name,
            sequence=sequence,
            first_event=first,
            last_event=last,
            opened=self.opened,
            format=revision.format,
            body_sha256=digest_of_body,
            gap=gap,
            previous_digest=link.digest,
        )
        batch = Batch(
            id=batch_id(self.name, sequence),
            destination=revision.destination,
            revision_number=revision.number,
            revision_nonce=revision.nonce,
            stream=self.name,
            sequence=sequence,
            first_event=first,
            last_event=last,
            partition=self.partition,
            first_offset=self.opened_at,
            last_offset=self.last_offset,
            opened=self.opened,
            format=revision.format,
            gap=gap,
            body_sha256=digest_of_body,
            previous_digest=link.digest,
            digest=digest,
            body=body,
        )
        self.link = Link(
            stream=self.name, sequence=sequence, last_event=last, last_offset=self.last_offset, digest=digest
        )
        self.covered = self.last_offset
        self.events = []
        return PutBatch(batch, self.link, self.opened_at)

    def _gap(self) -> str:
        """The time before this batch in which nothing was collected, if no batch has told of it yet."""
        rule = self.rule
        if rule.gap_offset is None or self.link.last_offset > rule.gap_offset:
            return NO_GAP
        return f"{rule.gap_from}-{rule.gap_to}"
