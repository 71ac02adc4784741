"""What the core asks the shell to do, as data.

Every effect has a `hold`: the commit must not pass that offset of the events topic before the effect is durable.
"""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.schemas.records import (
    Batch,
    DeadLetter,
    Link,
    Manifest,
    ManifestLink,
    Moved,
    NoteEntered,
    RevisionInForce,
    Skipped,
)


class PutBatch(Struct, frozen=True):
    """Append the batch; once it is durable put the link; once that is durable drop the link before it."""

    batch: Batch
    link: Link
    hold: int


class PutManifest(Struct, frozen=True):
    """Append the manifest, and the batch that brings it to the receiver if it wants one; then as for a batch.

    `replaces` is the end of the manifest before. No later batch of the stream may be durable before this is.
    """

    manifest: Manifest
    batch: Batch | None
    link: ManifestLink
    replaces: int
    hold: int


class PutState(Struct, frozen=True):
    """Put a record of the partition's state under `key`."""

    key: str
    record: Link | ManifestLink | Moved | NoteEntered | RevisionInForce | Skipped
    hold: int


class Move(Struct, frozen=True):
    """Append an event to the partition in which it belongs, saying where it came from."""

    partition: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]
    hold: int


class Bury(Struct, frozen=True):
    """Put a dead letter under `key`."""

    key: str
    letter: DeadLetter
    hold: int


Effect = PutBatch | PutManifest | PutState | Move | Bury
