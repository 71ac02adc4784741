"""The channel into Kafka, against librdkafka's own mock cluster and against a broker that is not there."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread, get_ident
from typing import Any

import pytest

from auditcast.kafka.settings import Connection
from auditcast.producers import AuditLog, BufferFull, Closed, DeliveryFailure
from auditcast.producers.channel import Channel
from auditcast.producers.encodings import JSON_HEADERS
from auditcast.producers.kafka_channel import KafkaChannel

NOBODY = Connection(bootstrap_servers="127.0.0.1:1")
Report = tuple[str, bytes, str]


@contextmanager
def channel(failed: list[Report], delivery_timeout: float = 30.0, **librdkafka: Any) -> Iterator[KafkaChannel]:
    opened = KafkaChannel(NOBODY, "audit.events", delivery_timeout, lambda *report: failed.append(report), **librdkafka)
    yield opened
    opened.close(0)


def mock() -> dict[str, Any]:
    return {"test_mock_num_brokers": 1}


def send(channel: Channel, value: bytes = b"{}", settle: Any = None, max_block: float = 0) -> None:
    channel.send("ws_1", value, JSON_HEADERS, max_block, settle)


def test_what_the_broker_has_acknowledged_is_settled() -> None:
    failed: list[Report] = []
    settled: list[str | None] = []
    with channel(failed, **mock()) as to_mock:
        send(to_mock, settle=settled.append)
        send(to_mock)
        assert to_mock.flush(10) == 0
        assert len(to_mock) == 0
        assert (settled, failed) == ([None], [])
        to_mock.close(0)
        with pytest.raises(Closed):
            send(to_mock)


def test_without_a_flush_the_thread_settles() -> None:
    settled = Event()
    with channel([], **mock()) as to_mock:
        send(to_mock, settle=lambda _: settled.set())
        assert settled.wait(10)


def test_what_no_broker_took_in_time_is_reported_with_the_reason() -> None:
    failed: list[Report] = []
    settled: list[str | None] = []
    with channel(failed, delivery_timeout=0.3) as to_nobody:
        send(to_nobody, b"first", settled.append)
        send(to_nobody, b"second")
        assert to_nobody.flush(10) == 0
    assert [(key, value) for key, value, _ in failed] == [("ws_1", b"first"), ("ws_1", b"second")]
    assert "no broker answers at 127.0.0.1:1" in failed[0][2]
    assert settled == [failed[0][2]]
    assert to_nobody.trouble is not None


def test_closing_gives_up_what_is_left_and_reports_each() -> None:
    failed: list[Report] = []
    with channel(failed) as to_nobody:
        for number in range(100):
            send(to_nobody, b"%d" % number)
        assert to_nobody.close(0) == 100
        assert len(to_nobody) == 0
    assert [value for _, value, _ in failed] == [b"%d" % number for number in range(100)]
    assert "given up" in failed[0][2]


def test_a_full_buffer_refuses_at_once_or_after_the_bound() -> None:
    with channel([], queue_buffering_max_messages=2) as to_nobody:
        send(to_nobody)
        send(to_nobody)
        with pytest.raises(BufferFull, match="no room for one more"):
            send(to_nobody)
        with pytest.raises(BufferFull):
            send(to_nobody, max_block=0.05)


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    failed: list[Report] = []
    with channel(failed, delivery_timeout=0.3, queue_buffering_max_messages=1) as to_nobody:
        send(to_nobody, b"first")
        waiting = Thread(target=send, args=(to_nobody, b"second", None, 30))
        waiting.start()
        waiting.join(30)
        assert to_nobody.flush(10) == 0
    assert [value for _, value, _ in failed] == [b"first", b"second"]


def test_who_emits_without_a_pause_handles_the_answers_itself() -> None:
    handled_by: set[int] = set()
    with channel([], queue_buffering_max_messages=5_000, **mock()) as to_mock:
        for _ in range(50_000):
            send(to_mock, settle=lambda _: handled_by.add(get_ident()), max_block=10)
        assert get_ident() in handled_by
        assert to_mock.flush(30) == 0


class NobodyLog(AuditLog):
    """An audit log that gives up soon."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(NOBODY, delivery_timeout=0.2, close_timeout=10, **settings)


FIELDS: dict[str, Any] = {
    "workspace": "ws_1",
    "category": "workspace",
    "action": "created",
    "actor": {"id": "usr_1", "type": "user"},
    "metadata": {"password": "hunter2"},
}


@pytest.mark.parametrize("encoding", ["json", "avro"])
def test_failures_reach_the_callback_and_the_log_without_their_content(
    encoding: Any, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[DeliveryFailure] = []
    with NobodyLog(on_failure=failures.append, encoding=encoding) as log:
        ids = [log.emit(**FIELDS) for _ in range(2)]
    assert [(each.id, each.workspace) for each in failures] == [(each, "ws_1") for each in ids]
    assert "no broker answers" in failures[0].reason
    assert b"hunter2" in failures[0].value
    assert all(each in caplog.text for each in ids)
    assert "hunter2" not in caplog.text + repr(failures)


def test_a_callback_that_raises_emits_or_flushes_does_no_harm(caplog: pytest.LogCaptureFixture) -> None:
    calls: list[str] = []

    def on_failure(failure: DeliveryFailure) -> None:
        calls.append(failure.id)
        if len(calls) == 1:
            log.emit_cloudevent(failure.value)
            log.flush(5)
        raise RuntimeError("the service's own fault")

    with NobodyLog(on_failure=on_failure) as log:
        event = log.emit(**FIELDS)
        log.flush(10)
        log._failures.wait(10)
    assert calls == [event, event]
    assert "the service's own fault" in caplog.text


def test_a_forked_child_emits_through_a_producer_of_its_own_and_can_exit() -> None:
    failures: list[DeliveryFailure] = []
    with NobodyLog(on_failure=failures.append) as log:
        mine = log.emit(**FIELDS)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                failures.clear()
                assert log.pending == 0
                its = log.emit(**FIELDS)
                log.close()
                status = 0 if [each.id for each in failures] == [its] else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [each.id for each in failures] == [mine]


def test_a_forked_child_can_collect_what_the_parent_closed_before() -> None:
    gc.disable()
    try:
        with channel([], **mock()) as closed:
            pass
        closed._thread.join()
        del closed
        child = os.fork()
        if child == 0:
            signal.alarm(20)  # freeing a producer of the parent would wait for ever
            gc.collect()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        gc.enable()
