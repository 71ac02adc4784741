"""Bytes that wait for others of their batch: in memory as long as there are few, then in a temporary file."""

import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import msgspec

HELD_BYTES = 256 * 1024 * 1024

Key = tuple[str, int]
Piece = tuple[int, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Piece]).decode


class Spool:
    """Numbered pieces by key. The file has no name and goes with the process."""

    def __init__(self, most: int = HELD_BYTES) -> None:
        self._most = most
        self._held: dict[Key, list[Piece]] = {}
        self._size = 0
        self._file: IO[bytes] | None = None
        self._places: dict[Key, list[tuple[int, int]]] = {}

    def add(self, key: Key, number: int, piece: bytes) -> None:
        """Keep one more piece."""
        self._held.setdefault(key, []).append((number, piece))
        self._size += len(piece)
        if self._size > self._most:
            self._put_away()

    def get(self, key: Key) -> list[Piece]:
        """All that was kept under a key, in that order."""
        return [*self._put(key), *self._held.get(key, ())]

    def drop(self, key: Key) -> None:
        """Forget what was kept under a key."""
        self._size -= sum(len(piece) for _, piece in self._held.pop(key, ()))
        self._places.pop(key, None)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()

    def _put_away(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (`close` closes it)
        at = self._file.seek(0, 2)
        for key, pieces in self._held.items():
            packed = _encode(pieces)
            self._file.write(packed)
            self._places.setdefault(key, []).append((at, len(packed)))
            at += len(packed)
        self._held.clear()
        self._size = 0

    def _put(self, key: Key) -> Iterator[Piece]:
        for at, size in self._places.get(key, ()):
            assert self._file is not None  # noqa: S101  (it has a place in it)
            self._file.seek(at)
            yield from _decode(self._file.read(size))
