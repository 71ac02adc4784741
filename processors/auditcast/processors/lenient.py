"""Reads record batches that aiokafka gives up on: it takes a header's name for UTF-8, and no broker asks for that.

Without this, one such record in the events topic would end every worker that comes to own its partition, for ever.
"""

from collections.abc import Iterator
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


class _Text(bytearray):
    """A buffer whose slices turn into text whatever they hold."""

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Text(found) if isinstance(place, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return bytes(self).decode(encoding, errors)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # final, since its makers subclass it no more
    """aiokafka's own reader in Python, over such a buffer."""

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer: Any = _Text(self._buffer)
        return self


class _Batch:
    """A batch as the fetcher uses it; the fast reader first, the lenient one if that fails."""

    def __init__(self, batch: Any, data: memoryview) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        last = -1
        try:
            for record in self._batch:
                last = record.offset
                yield record
        except (CorruptRecordException, UnicodeDecodeError):  # in Python, and in C
            for record in _LenientBatch(self._data):
                if record.offset > last:
                    yield record


class LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]  # final, since its makers subclass it no more
    """What one fetch brought for a partition."""

    def next_batch(self, *_: Any) -> Any:
        data = self._next_slice
        batch = super().next_batch()
        return None if batch is None or data is None else _Batch(batch, data)


def install() -> None:
    """Have aiokafka's fetcher read with it."""
    fetcher.MemoryRecords = LenientRecords
