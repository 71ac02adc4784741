"""Emitting into a real broker: the topic's contract, and `auditcast emit` from end to end."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition

from auditcast.console.commands.emit import command
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.producers import AuditLog
from auditcast.schemas.admission import minimal
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.events import decode
from tests.conftest import PARTITIONS

PLAIN: dict[str, Any] = {
    "workspace": "ws_1",
    "category": "workspace",
    "action": "created",
    "actor": {"id": "usr_1", "type": "user"},
}


def everything(connection: Connection) -> list[Message]:
    """All records of the events topic."""
    reader = clients.reader(connection)
    topic = Topics(connection.topic_prefix).events
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(PARTITIONS)])
    found: list[Message] = []
    ended = 0
    while ended < PARTITIONS:
        message = reader.poll(10)
        assert message is not None, "the broker does not answer"
        error = message.error()
        if error is None:
            found.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            ended += 1
    reader.close()
    return found


def test_events_lie_where_the_processor_looks_for_them(topics: Connection) -> None:
    with AuditLog(topics) as log:
        ids = [log.emit(**{**PLAIN, "workspace": f"ws_{number}"}) for number in range(50)]
        last = log.emit_with_receipt(**PLAIN)
        assert last.wait(30) == last.id
    found = everything(topics)
    assert sorted(decode(each.value() or b"").id for each in found) == sorted([*ids, last.id])
    for each in found:
        event = minimal(each.value() or b"")
        assert event is not None
        assert (each.key() or b"").decode() == event.workspaceid
        assert each.partition() == partition_of(event.workspaceid, PARTITIONS)
        assert each.headers() == [("content-type", b"application/cloudevents+json; charset=UTF-8")]


async def test_coroutines_await_durability(topics: Connection) -> None:
    async with AuditLog(topics) as log:
        receipts = [log.emit_with_receipt(**PLAIN) for _ in range(10)]
        assert [await each for each in receipts] == [each.id for each in receipts]
    assert len(everything(topics)) == 10


def emit(connection: Connection, *arguments: str, stdin: str | None = None) -> Result:
    environ = {
        "AUDITCAST_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "AUDITCAST_TOPIC_PREFIX": connection.topic_prefix,
    }
    return CliRunner(env=environ).invoke(command, arguments, input=stdin)


def test_emit_stops_at_the_first_bad_line_and_says_how_far_it_came(topics: Connection, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    bad = {**PLAIN, "action": "creatd"}
    file.write_text("\n".join(json.dumps(each) for each in (PLAIN, bad, PLAIN, {**bad, "workspace": 1})))
    stopped = emit(topics, str(file))
    assert isinstance(stopped.exception, AuditcastError)
    assert "line 2: action: 'creatd' is unknown" in str(stopped.exception)
    assert "(1 event emitted before it)" in str(stopped.exception)
    went_on = emit(topics, str(file), "--keep-going", "--ids")
    assert [line.partition(":")[0] for line in went_on.stderr.splitlines()] == ["line 2", "line 4"]
    assert "2 bad lines left out (2 events emitted)" in str(went_on.exception)
    found = {decode(each.value() or b"").id for each in everything(topics)}
    assert len(found) == 3
    assert set(went_on.stdout.split()) <= found


def test_emit_reads_standard_input(topics: Connection) -> None:
    ended = emit(topics, stdin=f"{json.dumps(PLAIN)}\n" * 3)
    assert (ended.exit_code, ended.stdout, ended.stderr) == (0, "", "3 events emitted\n")


def test_emit_without_the_topic_says_so(topics: Connection) -> None:
    from msgspec.structs import replace

    ended = emit(replace(topics, topic_prefix="nothing-here"), stdin=json.dumps(PLAIN))
    assert "there is no topic nothing-here.events" in str(ended.exception)


@pytest.mark.parametrize("encoding", ["avro"])
def test_events_in_avro_lie_there_as_well(topics: Connection, encoding: Any) -> None:
    with AuditLog(topics, encoding=encoding) as log:
        log.emit(**PLAIN)
    [found] = everything(topics)
    assert (found.value() or b"").startswith(b"\xc3\x01")
