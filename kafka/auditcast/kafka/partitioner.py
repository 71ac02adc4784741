"""Which partition a key lies in: the Java client's murmur2, everywhere."""

from aiokafka.partitioner import murmur2

PARTITIONER = "murmur2_random"
"""librdkafka's name for what the Java client does; its own default puts the same key elsewhere."""


def partition_of(key: str, partitions: int) -> int:
    """The partition of a key among `partitions`, as the Java client has it."""
    return int(murmur2(key.encode()) & 0x7FFFFFFF) % partitions
