"""Single records appended by a command: durable when the call returns, or known not to be."""

from confluent_kafka import KafkaError

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection


class Appender:
    """Appends single records. The first costs half a second, for which librdkafka waits before it asks for an id."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        """`timeout` in seconds bounds each wait for the broker."""
        self._connection = connection
        self._timeout = timeout
        self._producer = clients.producer(connection, message_timeout_ms=int(timeout * 1000))

    def append(self, topic: str, key: str, value: bytes | None) -> None:
        """Append one record; all replicas have it when this returns. Raises `BrokerUnavailable`."""
        answers: list[KafkaError | None] = []
        self._producer.produce(topic, key=key.encode(), value=value, on_delivery=lambda error, _: answers.append(error))
        self._producer.flush(self._timeout + 1)
        if not answers:
            raise BrokerUnavailable(f"{topic} has not confirmed the change: look whether it is there, and repeat it")
        if answers[0] is not None:
            raise clients.translated(answers[0], self._connection)


def append(connection: Connection, topic: str, key: str, value: bytes | None, timeout: float) -> None:
    """Append one record alone; see `Appender`."""
    Appender(connection, timeout).append(topic, key, value)
