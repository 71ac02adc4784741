"""Since when topics tell all: what was before has been removed, or may have been."""

import time
from collections.abc import Collection, Sequence

from confluent_kafka import KafkaError
from confluent_kafka.admin import ConfigResource, ResourceType

from auditcast.console.scanning import Scan
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection

_TIME, _SIZE = "retention.ms", "retention.bytes"
_NO_LIMIT = -1


def begins(connection: Connection, topic: str, partitions: Collection[int]) -> int:
    """From when on, in ms, some partitions of a topic hold all that was written to them; 0 if nothing was removed.

    A partition in which little is written may begin with a record of today, though nothing but what was too old was
    removed before it. So how long the topic keeps records counts too, if it removes them by nothing but their age.
    """
    with Scan(connection, topic) as scan:
        removed = {number: end for number, (first, end) in scan.bounds.items() if first > 0 and number in partitions}
        told = max((_stamp(scan, number) for number in removed), default=0)
    kept = _kept(connection, topic) if removed else None
    return told if kept is None else min(told, time.time_ns() // 1_000_000 - kept)


def _stamp(scan: Scan, partition: int) -> int:
    """When the first record that is kept was written, in ms; now, if none is."""
    for message in scan.messages({partition: 0}):
        return message.timestamp()[1]
    return time.time_ns() // 1_000_000


def _kept(connection: Connection, topic: str) -> int | None:
    """For how many ms a topic keeps all records; None if size matters, too, or if the broker does not tell."""
    resources: Sequence[ConfigResource] = [ConfigResource(ResourceType.TOPIC, topic)]
    [answer] = (
        clients.Admin(connection)
        .wait(lambda client: client.describe_configs([*resources], request_timeout=clients.ANSWER_S))
        .values()
    )
    if isinstance(answer, KafkaError):
        return None
    limits = {name: int(answer[name].value) if name in answer else None for name in (_TIME, _SIZE)}
    age, size = limits[_TIME], limits[_SIZE]
    return age if age is not None and age != _NO_LIMIT and size == _NO_LIMIT else None
