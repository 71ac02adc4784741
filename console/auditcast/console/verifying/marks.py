"""What stands for the bytes of an event where a million of them are held: 64 bits each."""

import hashlib
import secrets
from collections.abc import Iterable

MARK_BYTES = 8

_KEY = secrets.token_bytes(32)
"""Drawn for each run, so that nobody can look for two events with one mark."""


def mark(piece: bytes) -> bytes:
    """The mark of one event."""
    return hashlib.blake2b(piece, digest_size=MARK_BYTES, key=_KEY).digest()


def marks(pieces: Iterable[bytes]) -> bytes:
    """Those of some events, one after the other."""
    return b"".join(map(mark, pieces))


def at(marked: bytes, position: int) -> bytes:
    """The mark at a position, from 0."""
    return marked[position * MARK_BYTES : (position + 1) * MARK_BYTES]
