"""Manifests: what a stream held up to some time, so that the end of what a receiver kept cannot be cut off unseen.

The manifests of a stream form a chain of their own. The digest of one is SHA-256 over the lines of `text`, and its
signature Ed25519 over the same lines.
"""

import hashlib
from collections.abc import Iterable

from auditcast.schemas.chain import GENESIS
from auditcast.schemas.records import Manifest, Note

FIRST = GENESIS
"""The previous digest of a stream's first manifest."""

HOUR_MS = 3_600_000
"""A manifest ends with the hour (or with its stream)."""


def manifest_key(stream: str, until: int) -> str:
    """The key of a manifest in its topic."""
    return f"{stream}:{until}"


def text(manifest: Manifest) -> bytes:
    """The bytes that are digested and signed: lines in UTF-8, each ended by a line feed."""
    lines = [
        "auditcast-manifest-v1",
        manifest.stream,
        f"{manifest.since}-{manifest.until}",
        f"{manifest.first_sequence}-{manifest.last_sequence}",
        f"{manifest.first_event}-{manifest.last_event}",
        manifest.opening_digest,
        manifest.closing_digest,
        "final" if manifest.final else "open",
        str(len(manifest.notes)),
        *_note_lines(manifest.notes),
        manifest.previous,
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def digest_of(manifest: Manifest) -> str:
    """The digest that `manifest` must carry, in hex."""
    return hashlib.sha256(text(manifest)).hexdigest()


def size_of(note: Note) -> int:
    """About how many bytes `note` is, the same in every release: what a manifest has room for follows from it."""
    return 64 + sum(len(words.encode()) for words in (note.stream, note.kind, note.by, note.because))


def _note_lines(notes: Iterable[Note]) -> list[str]:
    """One line each; what a person wrote stands there as its SHA-256, so that no text can look like another line."""
    return [
        f"{note.sequence} {note.first_event}-{note.last_event} {note.at} {_hex(note.kind)} {_hex(note.by)}"
        f" {_hex(note.because)}"
        for note in notes
    ]


def _hex(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()
