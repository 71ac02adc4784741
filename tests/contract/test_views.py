"""Compacted topics read whole and followed, on every broker."""

import threading

import pytest

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable, PartialRead, WrongTopics
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View, read_compacted

WAIT_S = 30


def write(connection: Connection, *records: tuple[int, str, bytes | None], **more: object) -> None:
    """Append (partition, key, value) to the status topic and wait until all of it is durable."""
    producer = clients.producer(connection, **more)
    for partition, key, value in records:
        producer.produce(Topics(connection.topic_prefix).status, value, key, partition)
    assert producer.flush(WAIT_S) == 0


def status(connection: Connection) -> str:
    return Topics(connection.topic_prefix).status


def test_a_read_gives_the_newest_values_without_removed_keys(topics: Connection) -> None:
    write(topics, (1, "a", b"1"), (1, "b", b"1"), (1, "a", b"2"), (1, "gone", b"1"), (1, "gone", None), (1, "e", b""))
    write(topics, (2, "elsewhere", b"1"))
    assert read_compacted(topics, status(topics), 1, WAIT_S) == {b"a": b"2", b"b": b"1", b"e": b""}
    assert read_compacted(topics, status(topics), 0, WAIT_S) == {}


def test_a_read_that_cannot_reach_the_end_is_no_read(topics: Connection) -> None:
    write(topics, *((0, str(number), b"x" * 10_000) for number in range(2000)))
    with pytest.raises((PartialRead, BrokerUnavailable)):
        read_compacted(topics, status(topics), 0, timeout=0.002)
    with pytest.raises(PartialRead, match="has no partition 4"):
        read_compacted(topics, status(topics), 4, WAIT_S)


def test_a_read_ends_at_records_hidden_by_a_transaction(topics: Connection, broker: Broker) -> None:
    write(topics, (0, "a", b"committed"))
    producer = clients.producer(topics, transactional_id=f"{topics.topic_prefix}-writer")
    producer.init_transactions(WAIT_S)
    producer.begin_transaction()
    producer.produce(status(topics), b"aborted", "a", 0)
    producer.flush(WAIT_S)
    producer.abort_transaction(WAIT_S)
    expected = b"committed" if broker.transactions else b"aborted"
    assert read_compacted(topics, status(topics), 0, WAIT_S) == {b"a": expected}
    producer.begin_transaction()
    for _ in range(2):
        producer.produce(status(topics), b"open", "a", 0)
        producer.flush(WAIT_S)
    assert read_compacted(topics, status(topics), 0, WAIT_S) == {b"a": expected}


def test_a_view_follows_all_partitions(topics: Connection) -> None:
    seen: list[tuple[bytes, bytes | None]] = []
    arrived = threading.Event()

    def changed(key: bytes, value: bytes | None) -> None:
        seen.append((key, value))
        if key == b"last":
            arrived.set()

    write(topics, (0, "a", b"1"), (3, "b", b"1"))
    with View(topics, status(topics), on_change=changed) as view:
        view.wait_caught_up(WAIT_S)
        assert sorted(view.items()) == [(b"a", b"1"), (b"b", b"1")]
        write(topics, (0, "a", None), (0, "c", b""), (0, "last", b"."))
        assert arrived.wait(WAIT_S)
        assert view.get(b"a") is None
        assert view.get(b"c") == b""
    assert seen[2:] == [(b"a", None), (b"c", b""), (b"last", b".")]


def test_a_view_of_an_empty_topic_is_caught_up(topics: Connection) -> None:
    with View(topics, status(topics)) as view:
        view.wait_caught_up(WAIT_S)
        assert view.items() == []


def test_a_view_that_ends_by_an_error_says_so(topics: Connection) -> None:
    told: list[Exception] = []
    ended = threading.Event()

    def failed(error: Exception) -> None:
        told.append(error)
        ended.set()

    view = View(topics, "no-such-topic", on_error=failed).start()
    with pytest.raises(WrongTopics, match="the topic no-such-topic does not exist: run 'auditcast topics create'"):
        view.wait_caught_up(WAIT_S)
    assert ended.wait(WAIT_S)
    assert told == [view.error]
    view.close()


def test_an_error_of_the_owners_callback_ends_the_view(topics: Connection) -> None:
    def broken(_key: bytes, _value: bytes | None) -> None:
        raise ValueError("broken")

    write(topics, (0, "a", b"1"))
    with View(topics, status(topics), on_change=broken) as view, pytest.raises(ValueError, match="broken"):
        view.wait_caught_up(WAIT_S)
