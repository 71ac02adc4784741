"""What the pipeline takes for granted of a broker, on each of them; `Broker` says where they differ."""

import json
import time
from pathlib import Path

import pytest
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_INVALID,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    Message,
    Producer,
    TopicPartition,
)

from auditcast.kafka import clients
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection

WAIT_S = 30
JAVA = json.loads((Path(__file__).parents[1] / "fixtures" / "murmur2.json").read_text())


def read(connection: Connection, topic: str, partition: int = 0) -> list[Message]:
    """All records of a partition, aborted ones left out."""
    reader = clients.reader(connection)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found = []
    while True:
        message = reader.poll(WAIT_S)
        assert message is not None, "the partition's end did not come"
        if message.error():
            reader.close()
            return found
        found.append(message)


def written(producer: Producer, topic: str, value: bytes | None, **more: object) -> Message:
    """One durable record, as its delivery report shows it."""
    reports: list[Message] = []
    producer.produce(topic, value, on_delivery=lambda error, message: reports.append((error, message)), **more)
    assert producer.flush(WAIT_S) == 0
    [(error, message)] = reports
    assert error is None
    return message


@pytest.fixture
def events(topics: Connection) -> str:
    return Topics(topics.topic_prefix).events


def test_records_come_back_as_they_were_written(topics: Connection, events: str) -> None:
    producer = clients.producer(topics)
    headers = [("twice", b"1"), ("twice", b"2"), ("empty", b""), ("bytes", b"\x00\xff")]
    written(producer, events, b"value", key="key", partition=0, headers=headers)
    written(producer, events, b"", partition=0)
    written(producer, events, None, key=b"", partition=0)
    records = read(topics, events)
    assert [(record.offset(), record.key(), record.value()) for record in records] == [
        (0, b"key", b"value"),
        (1, None, b""),
        (2, b"", None),
    ]
    assert records[0].headers() == headers
    assert records[1].headers() is None


def test_a_large_body_fits(topics: Connection) -> None:
    body = bytes(1_900_000)
    written(clients.producer(topics), Topics(topics.topic_prefix).batches, body, partition=0)
    [record] = read(topics, Topics(topics.topic_prefix).batches)
    assert record.value() == body


@pytest.mark.parametrize("codec", ["lz4", "zstd", "gzip", "snappy"])
def test_compressed_records_come_back(topics: Connection, events: str, codec: str) -> None:
    written(clients.producer(topics, compression_type=codec), events, b"a" * 100_000, partition=0)
    assert [record.value() for record in read(topics, events)] == [b"a" * 100_000]


def test_librdkafka_puts_keys_where_the_java_client_does(topics: Connection, events: str) -> None:
    producer = clients.producer(topics)
    java = {bytes.fromhex(one["key_utf8_hex"]): one["partition"]["4"] for one in JAVA}
    placed = {key: written(producer, events, b".", key=key).partition() for key in java}
    assert placed == java


def test_whose_clock_stamps_events(topics: Connection, events: str, broker: Broker) -> None:
    before = int(time.time() * 1000)
    written(clients.producer(topics), events, b".", partition=0, timestamp=1000)
    [record] = read(topics, events)
    kind, stamped = record.timestamp()
    if broker.broker_time:
        assert kind == TIMESTAMP_LOG_APPEND_TIME
        assert stamped >= before
    else:
        assert (kind, stamped) == (TIMESTAMP_CREATE_TIME, 1000)


def test_aborted_records_are_kept_from_who_reads_committed_ones(
    topics: Connection, events: str, broker: Broker
) -> None:
    producer = clients.producer(topics, transactional_id=f"{topics.topic_prefix}-emitter")
    producer.init_transactions(WAIT_S)
    for value, end in ((b"aborted", producer.abort_transaction), (b"committed", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(events, value, partition=0)
        producer.flush(WAIT_S)
        end(WAIT_S)
    values = [record.value() for record in read(topics, events)]
    assert values == ([b"committed"] if broker.transactions else [b"aborted", b"committed"])


def test_a_group_goes_on_where_it_committed(topics: Connection, events: str) -> None:
    producer = clients.producer(topics)
    for number in range(10):
        written(producer, events, b"%d" % number, partition=0)

    def member() -> Consumer:
        return clients.reader(
            topics, group_id=f"{topics.topic_prefix}.group", auto_offset_reset="earliest", session_timeout_ms=6000
        )

    first = member()
    at = TopicPartition(events, 0)
    assert first.committed([at], WAIT_S)[0].offset == OFFSET_INVALID
    first.subscribe([events])
    first.poll(WAIT_S)
    first.commit(offsets=[TopicPartition(events, 0, 7)], asynchronous=False)
    first.close()

    second = member()
    assert second.committed([at], WAIT_S)[0].offset == 7
    second.subscribe([events])
    values = []
    while len(values) < 3:
        message = second.poll(WAIT_S)
        assert message is not None
        if not message.error():
            values.append(message.value())
    assert values == [b"7", b"8", b"9"]
    second.close()
