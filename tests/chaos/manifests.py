"""What `audit.manifests` says beside what lies in `audit.batches`. No clock, no I/O.

Which hours a run comes across is chance: most cross none, and then only ended streams have manifests.
"""

import hashlib
from collections import defaultdict

from auditcast.console.demo.reading import Record
from auditcast.schemas.records import Batch, Manifest
from auditcast.schemas.signing_keys import genuine
from auditcast.schemas.wire import decode_as

BEGINNING = "0" * 64


class Manifests:
    """Grows with the two topics."""

    def __init__(self) -> None:
        self._manifests: defaultdict[str, dict[int, Manifest]] = defaultdict(dict)
        self._ends: dict[tuple[str, int], tuple[str, int]] = {}
        self._differing: list[str] = []

    @property
    def count(self) -> int:
        """Manifests, repeats left out."""
        return sum(len(manifests) for manifests in self._manifests.values())

    def take_batch(self, record: Record) -> None:
        """The next record of `audit.batches`."""
        batch = decode_as(Batch, record.value or b"")
        if batch.sequence:
            self._ends[batch.stream, batch.sequence] = batch.digest, batch.last_event

    def take(self, record: Record) -> None:
        """The next record of `audit.manifests`."""
        manifest = decode_as(Manifest, record.value or b"")
        if self._manifests[manifest.stream].setdefault(manifest.until, manifest) != manifest:
            self._differing.append(f"{manifest.stream} has two manifests until {manifest.until}")

    def wrong(self) -> list[str]:
        """A sentence for each manifest that does not hold."""
        found = list(self._differing)
        for stream, manifests in self._manifests.items():
            before = (BEGINNING, 1, 1, BEGINNING)
            for until, manifest in sorted(manifests.items()):
                name = f"the manifest of {stream} until {until}"
                begins = (manifest.previous, manifest.first_sequence, manifest.first_event, manifest.opening_digest)
                if begins != before:
                    found.append(f"{name} does not follow the one before")
                lines = _lines(manifest)
                if hashlib.sha256(lines).hexdigest() != manifest.digest:
                    found.append(f"{name} has another digest than it says")
                if not genuine(manifest.key, lines, manifest.signature):
                    found.append(f"{name} is not signed")
                end = self._ends.get((stream, manifest.last_sequence), (BEGINNING, 0))
                if end != (manifest.closing_digest, manifest.last_event):
                    found.append(f"{name} tells of another batch {manifest.last_sequence}")
                before = (
                    manifest.digest,
                    manifest.last_sequence + 1,
                    manifest.last_event + 1,
                    manifest.closing_digest,
                )
        return found


def _lines(manifest: Manifest) -> bytes:
    """The bytes that are signed, put together anew from docs/verifying.md; here there are no notes."""
    return (
        f"auditcast-manifest-v1\n{manifest.stream}\n{manifest.since}-{manifest.until}\n"
        f"{manifest.first_sequence}-{manifest.last_sequence}\n{manifest.first_event}-{manifest.last_event}\n"
        f"{manifest.opening_digest}\n{manifest.closing_digest}\n{'final' if manifest.final else 'open'}\n"
        f"{len(manifest.notes)}\n{manifest.previous}\n"
    ).encode()
