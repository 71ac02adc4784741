"""Topics read record by record, on every broker."""

import pytest

from auditcast.kafka import clients
from auditcast.kafka.errors import WrongTopics
from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Lookup, Scan
from auditcast.kafka.settings import Connection

WAIT_S = 30


def write(connection: Connection, *records: tuple[int, str, bytes | None]) -> list[tuple[int, int]]:
    """Append (partition, key, value) to the dead letters; returns where they lie."""
    producer = clients.producer(connection)
    places: list[tuple[int, int]] = []
    for partition, key, value in records:
        producer.produce(
            letters(connection), value, key, partition,
            on_delivery=lambda _, message: places.append((message.partition() or 0, message.offset() or 0)),
        )  # fmt: skip
        assert producer.flush(WAIT_S) == 0
    return places


def letters(connection: Connection) -> str:
    return Topics(connection.topic_prefix).dead_letters


def test_a_scan_reads_to_the_end_and_goes_on_from_there(topics: Connection) -> None:
    many = [(number % 3, f"{number}", b"x" * 5000) for number in range(300)]
    write(topics, *many)
    with Scan(topics, letters(topics)) as scan:
        read = [((message.key() or b"").decode(), message.value()) for message in scan.to_end(WAIT_S)]
        assert sorted(read) == sorted((key, value) for _, key, value in many)
        assert [key for key, _ in read if int(key) % 3 == 1] == [key for partition, key, _ in many if partition == 1]
        write(topics, (0, "0", None), (3, "late", b""))
        late: list[tuple[bytes | None, bytes | None]] = []
        while len(late) < 2:
            late += [(message.key(), message.value()) for message in scan.after(WAIT_S)]
        assert sorted(late) == [(b"0", None), (b"late", b"")]
        write(topics, (2, "later", b""))
        assert [message.key() for message in scan.to_end(WAIT_S)] == [b"later"]
        assert list(scan.to_end(WAIT_S)) == []


def test_a_scan_of_some_partitions_and_from_the_end(topics: Connection) -> None:
    write(topics, (0, "a", b"1"), (1, "b", b"1"))
    with Scan(topics, letters(topics), [1]) as scan:
        assert [message.key() for message in scan.to_end(WAIT_S)] == [b"b"]
    with Scan(topics, letters(topics)) as scan:
        scan.skip_to_end(WAIT_S)
        write(topics, (1, "c", b"1"))
        seen: list[bytes | None] = []
        while b"c" not in seen:
            seen += [message.key() for message in scan.after(WAIT_S)]


def test_a_topic_that_is_missing_is_told(topics: Connection) -> None:
    with Scan(topics, "no-such-topic") as scan, pytest.raises(WrongTopics, match="run 'auditcast topics create'"):
        list(scan.to_end(WAIT_S))


def test_single_records_are_found_by_their_place(topics: Connection) -> None:
    places = write(topics, (0, "a", b"1"), (2, "b", b"2" * 1_500_000), (0, "c", b"3"))
    with Lookup(topics, letters(topics)) as lookup:
        for (partition, offset), key in reversed(list(zip(places, (b"a", b"b", b"c"), strict=True))):
            found = lookup.get(partition, offset, WAIT_S)
            assert found is not None
            assert found.key() == key
        assert lookup.get(0, places[-1][1] + 1, WAIT_S) is None
        assert lookup.get(1, 0, WAIT_S) is None
