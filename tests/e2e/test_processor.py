"""What only a real broker shows of the processor: holes that transactions leave, and a worker that was stopped."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest
import pytest_asyncio

from auditcast.console.demo.waiting import until
from auditcast.kafka import clients, topics
from auditcast.kafka.local import Broker
from auditcast.producers.testing import MemoryAuditLog
from tests.e2e.pipeline import WITHIN_S, Pipeline, fresh, running

pytestmark = pytest.mark.asyncio(loop_scope="function")
PARTITIONS = 4


@pytest_asyncio.fixture
async def pipeline(broker: Broker, tmp_path: Path) -> AsyncIterator[Pipeline]:
    connection = broker.connection(f"e2e-{token_hex(4)}")
    topics.create(connection, PARTITIONS)
    async with running(connection, tmp_path, broker_time=broker.broker_time) as made:
        yield made


def faultless(pipeline: Pipeline, ledger_events: list[str], wanted: list[str]) -> None:
    assert ledger_events == wanted
    assert not pipeline.account.batches.faults
    assert not any(ledger.wrong for ledger in pipeline.account.ledgers.values())


async def test_aborted_events_never_happened_and_leave_no_hole(broker: Broker, pipeline: Pipeline) -> None:
    if not broker.transactions:
        pytest.skip("this broker has no transactions; the lane of Apache Kafka runs this test")
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace, window_events=10)
    emitter = clients.producer(pipeline.connection, transactional_id=token_hex(4))
    await asyncio.to_thread(emitter.init_transactions, WITHIN_S)
    wanted: list[str] = []
    for number in range(40):
        with MemoryAuditLog() as log:
            ids = [
                log.emit(workspace=workspace, category="lock", action="created", actor={"id": "u", "type": "user"})
                for _ in range(7)
            ]
            emitter.begin_transaction()
            for value in log.values:
                emitter.produce(pipeline.stage.topics.events, value, workspace.encode())
            if number % 3:
                wanted += ids
                await asyncio.to_thread(emitter.commit_transaction, WITHIN_S)
            else:
                emitter.flush(WITHIN_S)
                await asyncio.to_thread(emitter.abort_transaction, WITHIN_S)
    await pipeline.settled()
    faultless(pipeline, [event["id"] for event in pipeline.events(ledger)], wanted)


async def test_a_worker_that_was_stopped_does_no_harm_when_it_wakes_up(pipeline: Pipeline) -> None:
    workspaces = [fresh() for _ in range(PARTITIONS)]
    ledgers = [await pipeline.add(workspace=workspace, window_events=5) for workspace in workspaces]
    wanted = [pipeline.emit(workspace, 33) for workspace in workspaces]
    await pipeline.received(ledgers[0], 5)
    pipeline.processor.pause()
    successor = pipeline.stage.workers.start("processor")
    for _ in range(3):
        for workspace, ids in zip(workspaces, wanted, strict=True):
            ids.extend(pipeline.emit(workspace, 33))
    await asyncio.to_thread(pipeline.log.flush)
    for ledger in ledgers:  # once the group has given the stopped worker up
        await pipeline.received(ledger, 130)
    pipeline.processor.resume()
    for workspace, ids in zip(workspaces, wanted, strict=True):
        ids.extend(pipeline.emit(workspace, 33))
    await pipeline.settled()
    successor.terminate()
    assert await successor.ended(10)
    for workspace, ids in zip(workspaces, wanted, strict=True):
        ids.extend(pipeline.emit(workspace, 1))
    await pipeline.settled()
    assert await until(lambda: pipeline.processor.code is None, WITHIN_S)
    for ledger, ids in zip(ledgers, wanted, strict=True):
        faultless(pipeline, [event["id"] for event in pipeline.events(ledger)], ids)
