"""Hands Faust one chunk per fetched partition slice instead of one record at a time: some µs an event, not 130."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from faust.types import TP
from faust.types.transports import SchedulingStrategyT


class Chunk:
    """Looks like a record to Faust; its value is the list of records, its offset the last one's."""

    __slots__ = ("offset", "partition", "topic", "value")

    # The attributes that Faust reads off a record and that a chunk has no use for.
    checksum = headers = key = serialized_key_size = serialized_value_size = timestamp = None
    timestamp_type = 1

    def __init__(self, records: Sequence[Any]) -> None:
        last = records[-1]
        self.topic = last.topic
        self.partition = last.partition
        self.offset = last.offset
        self.value = records


class ChunkScheduler(SchedulingStrategyT):
    """Faust's setting `ConsumerScheduler`."""

    def iterate(self, records: Mapping[TP, list[Any]]) -> Iterator[tuple[TP, Chunk]]:
        """One chunk for each partition of a fetch."""
        for tp, slice_ in records.items():
            if slice_:
                yield tp, Chunk(slice_)
