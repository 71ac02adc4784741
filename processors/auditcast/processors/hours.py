"""The manifests of a partition's streams: when one is due, and what it says.

A stream's manifest is closed by the first record stamped past the hour, of whatever kind, by a note for which it has no
room, and by the end of the stream. It is a function of the log, as batches are.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from auditcast.processors.effects import PutManifest
from auditcast.processors.stream import Stream
from auditcast.processors.windows import NEVER
from auditcast.schemas.attributes import time_text
from auditcast.schemas.chain import NO_GAP, body_digest
from auditcast.schemas.events import CloudEvent, encode
from auditcast.schemas.formats import Place
from auditcast.schemas.manifests import HOUR_MS, digest_of, text
from auditcast.schemas.own_events import own_event
from auditcast.schemas.records import Batch, Manifest, ManifestLink, Revision
from auditcast.schemas.signing_keys import Signer

NO_WORKSPACE = "-"
"""What an event about an organization's stream has for a workspace."""


MOST_NOTES = 32 * 1024
"""Bytes of notes (`size_of`) that a manifest may hold; as JSON, in an event, they are some 100 kB at most."""


class Hours:
    """`earliest` is the time in ms before which no manifest is due; cheap to look at for every record."""

    def __init__(self, signer: Signer, streams: Iterable[Stream]) -> None:
        self._signer = signer
        self.earliest = NEVER
        for stream in streams:
            self.began(stream)

    def began(self, stream: Stream) -> None:
        """`stream` is to have manifests."""
        self.earliest = min(self.earliest, _due(stream))

    def close_due(self, streams: Iterable[Stream], timestamp: int, offset: int) -> list[PutManifest]:
        """Close the manifest of each of `streams`, which are all, whose hour is over at a record."""
        closed = []
        self.earliest = NEVER
        until = timestamp - timestamp % HOUR_MS
        for stream in streams:
            if _due(stream) <= timestamp and offset > stream.manifest.offset:
                closed.append(self._close(stream, until, offset, final=False))
            self.began(stream)
        return closed

    def make_room(self, stream: Stream, size: int, timestamp: int, offset: int) -> list[PutManifest]:
        """Close the manifest of `stream` if it has no room for one more note, of `size` bytes, that is at a record."""
        if stream.notes_size + size <= MOST_NOTES:
            return []
        return self._close_within(stream, timestamp, offset, final=False)

    def end(self, stream: Stream, timestamp: int, offset: int) -> list[PutManifest]:
        """Close the last manifest of a stream that ends at a record; its window must be closed."""
        return self._close_within(stream, timestamp, offset, final=True)

    def _close_within(self, stream: Stream, timestamp: int, offset: int, *, final: bool) -> list[PutManifest]:
        if offset <= stream.manifest.offset:
            return []  # told already, before a crash
        # A broker's clock may run backwards; no two manifests of a stream end at the same time.
        return [self._close(stream, max(timestamp, stream.manifest.until + 1), offset, final=final)]

    def _close(self, stream: Stream, until: int, offset: int, *, final: bool) -> PutManifest:
        held, link, revision = stream.manifest, stream.link, stream.rule.revision
        bare = Manifest(
            stream=stream.name,
            destination=revision.destination,
            since=held.until,
            until=until,
            first_sequence=held.sequence + 1,
            last_sequence=link.sequence,
            first_event=held.last_event + 1,
            last_event=link.last_event,
            opening_digest=held.digest,
            closing_digest=link.digest,
            final=final,
            notes=[entry.note for entry in stream.notes],
            previous=held.manifest,
            digest="",
            key=self._signer.public_keys[0],
            signature="",
        )
        manifest = replace(bare, digest=digest_of(bare), signature=self._signer.sign(text(bare)))
        stream.notes, stream.notes_size = [], 0
        stream.manifest = ManifestLink(
            stream=stream.name,
            until=until,
            offset=offset,
            sequence=link.sequence,
            last_event=link.last_event,
            digest=link.digest,
            manifest=manifest.digest,
        )
        batch = _delivery(stream, manifest, offset) if revision.manifests else None
        return PutManifest(manifest, batch, stream.manifest, held.until, offset)


def _due(stream: Stream) -> int:
    """The end of the hour in which the newest manifest ended."""
    until = stream.manifest.until
    return until - until % HOUR_MS + HOUR_MS


def _delivery(stream: Stream, manifest: Manifest, offset: int) -> Batch:
    """The batch, in no chain of batches, that brings `manifest` to the receiver."""
    revision = stream.rule.revision
    batch_id = f"{stream.name}-manifest-{manifest.until}"
    event = _event(revision, manifest, batch_id)
    place = Place(
        stream=stream.name,
        sequence=0,
        first_event=0,
        opened=manifest.until,
        gap=NO_GAP,
        previous_digest=manifest.closing_digest,
    )
    body = stream.rendering.join([stream.rendering.render(event, encode(event))], place)
    return Batch(
        id=batch_id,
        destination=revision.destination,
        revision_number=revision.number,
        revision_nonce=revision.nonce,
        stream=stream.name,
        sequence=0,
        first_event=0,
        last_event=0,
        partition=stream.partition,
        first_offset=offset,
        last_offset=offset,
        opened=manifest.until,
        format=revision.format,
        gap=NO_GAP,
        body_sha256=body_digest(body),
        previous_digest=manifest.previous,
        digest=manifest.digest,
        body=body,
    )


def _event(revision: Revision, manifest: Manifest, identity: str) -> CloudEvent:
    """The audit event in which a receiver of events gets a manifest."""
    count = manifest.last_event - manifest.first_event + 1
    return own_event(
        revision,
        identity=identity,
        action="manifest",
        at=manifest.until,
        workspace=NO_WORKSPACE,
        description=f"{count} events were batched for this destination from {time_text(manifest.since)}"
        f" to {time_text(manifest.until)}",
        metadata=msgspec.to_builtins(manifest),
    )
