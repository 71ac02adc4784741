"""How far the workers are, as they have committed it."""

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicPartition
from msgspec import Struct

from auditcast.deliverers.offsets import Span, spans_in
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection


class Progress(Struct, frozen=True):
    """What a group has settled of a partition: all before `offset`, and the stretches `beyond`."""

    offset: int
    beyond: list[Span]

    def settled(self, offset: int) -> bool:
        """Whether the record at `offset` is done with."""
        return offset < self.offset or any(first <= offset <= last for first, last in self.beyond)


Places = dict[tuple[str, int], Progress]
"""By topic and partition."""


def progress(connection: Connection, group: str, topics: Iterable[str], partitions: Iterable[int]) -> Places:
    """What `group` has committed, 0 where nothing; raises `BrokerUnavailable`, `Misconfigured`."""
    asked = [TopicPartition(topic, partition) for topic in topics for partition in partitions]
    consumer = clients.reader(connection, group_id=group)
    try:
        found = consumer.committed(asked, timeout=clients.ANSWER_S)
    except KafkaException as failed:
        raise clients.translated(failed.args[0], connection) from None
    finally:
        consumer.close()
    for place in found:
        if place.error is not None:
            raise clients.translated(place.error, connection)
    return {(place.topic, place.partition): Progress(max(place.offset, 0), spans_in(place.metadata)) for place in found}
