"""One stream: a destination within a partition, with its open window and the end of its chain."""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.processors.effects import PutBatch
from auditcast.processors.keys import Keys
from auditcast.processors.skips import DISABLED, UNENTITLED
from auditcast.schemas.chain import NO_GAP, batch_id, body_digest, link_digest
from auditcast.schemas.formats import FORMATS, Place, rendering
from auditcast.schemas.manifests import size_of
from auditcast.schemas.records import Batch, Link, ManifestLink, NoteEntered, RevisionInForce
from auditcast.schemas.redactions import redaction
from auditcast.schemas.selection import selection

NO_ROOM = -1
"""Less than any event takes."""


class Reached(Struct, frozen=True):
    """How far a stream has come: its newest link and manifest, and the notes for the next one."""

    link: Link
    manifest: ManifestLink
    notes: Sequence[NoteEntered]


class Stream:
    """What is collected for one destination here; `link` is its newest batch's, and `covered` that batch's last offset.

    A window is open while `events` is not empty; it holds rendered events that are numbered when it closes. `size` of
    the `room` bytes between a body's brackets are taken. While nothing is collected, for the reason `idle` (else it is
    empty), there is no room: so the events of a disabled destination are told from others by a comparison that each
    event needs anyway. `selects` and `redacts` are None for a destination that wants all events as they are. `manifest`
    is the newest, `notes` of `notes_size` bytes are for the next.
    """

    __slots__ = (
        "covered",
        "events",
        "idle",
        "last_offset",
        "link",
        "manifest",
        "most_events",
        "name",
        "notes",
        "notes_size",
        "opened",
        "opened_at",
        "partition",
        "redacts",
        "rendering",
        "room",
        "rule",
        "selects",
        "size",
    )

    def __init__(self, partition: int, rule: RevisionInForce, reached: Reached, keys: Keys) -> None:
        """`keys` open what the rule has sealed; raises `WrongSealingKey`, as `obey` does."""
        self.name = rule.stream
        self.partition = partition
        self.link = reached.link
        self.manifest = reached.manifest
        self.notes = list(reached.notes)
        self.notes_size = sum(size_of(entry.note) for entry in reached.notes)
        self.covered = reached.link.last_offset
        self.events: list[bytes] = []
        self.opened = self.opened_at = self.last_offset = self.size = 0
        self.obey(rule, keys)

    def obey(self, rule: RevisionInForce, keys: Keys) -> None:
        """Collect under `rule` from now on; the window must be closed."""
        revision = rule.revision
        form = FORMATS[revision.format]
        salt = keys.salt(revision)
        self.rule = rule
        self.rendering = rendering(revision.format, revision.options)
        self.selects = selection(revision)
        self.redacts = redaction(revision, salt) if revision.collecting else None
        room = min(revision.max_body_bytes, form.max_body_bytes) - self.rendering.envelope_bytes
        self.room = room if revision.collecting else NO_ROOM
        self.idle = "" if revision.collecting else DISABLED if revision.state != "active" else UNENTITLED
        self.most_events = min(revision.window_events, form.max_events)

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
        gap = self._gap()
        place = Place(
            stream=self.name,
            sequence=sequence,
            first_event=first,
            opened=self.opened,
            gap=gap,
            previous_digest=link.digest,
        )
        body = self.rendering.join(self.events, place)
        digest_of_body = body_digest(body)
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
