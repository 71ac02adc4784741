"""Backfills with real processors: everything once, chains complete, and repeating gives nothing new."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest_asyncio

from auditcast.console.demo.batches import Batches
from auditcast.kafka import topics
from auditcast.kafka.local import Broker
from auditcast.schemas.wire import encode
from tests.e2e.pipeline import WITHIN_S, Pipeline, fresh, running

PARTITIONS = 4


@pytest_asyncio.fixture
async def pipeline(broker: Broker, tmp_path: Path) -> AsyncIterator[Pipeline]:
    connection = broker.connection(f"e2e-{token_hex(4)}")
    topics.create(connection, PARTITIONS)
    async with running(connection, tmp_path, broker_time=broker.broker_time) as made:
        yield made


async def auditcast(pipeline: Pipeline, *args: str) -> Any:
    """What `auditcast … --json` printed, run as an operator would."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "auditcast.console", *args, "--json",
        env=pipeline.stage.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), WITHIN_S)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def delivered(pipeline: Pipeline, event: str) -> Any:
    """What `trace` tells of the only destination, once the attempt, which nobody waits for, is reported."""
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while True:
        (told,) = (await auditcast(pipeline, "trace", event))["destinations"]
        if told["state"] == "delivered":
            return told
        assert asyncio.get_running_loop().time() < deadline, told


async def test_a_new_destination_gets_what_happened_before_it_came(pipeline: Pipeline) -> None:
    workspace, other = fresh(), fresh()
    before = pipeline.emit(workspace, 230, organization="org_1")
    pipeline.emit(other, 50)
    await asyncio.to_thread(pipeline.log.flush)
    ledger = await pipeline.add(workspace=workspace)
    after = pipeline.emit(workspace, 30)
    told = await auditcast(pipeline, "destinations", "backfill", ledger.destination, "--since", "1h")
    assert (told["events"], told["batches"], told["refused"]) == (230, 3, {})
    await pipeline.received(ledger, 260)
    assert [event["id"] for event in pipeline.events(ledger)] in (before + after, after + before)
    assert not ledger.wrong
    assert not ledger.missing
    made = pipeline.batches(ledger)

    for event in (before[0], before[-1], after[0]):
        traced = await delivered(pipeline, event)
        assert traced["attempts"][-1]["status"] == 200

    again = await auditcast(pipeline, "destinations", "backfill", ledger.destination, "--since", "1h")
    assert (again["events"], again["streams"]) == (0, [])
    assert pipeline.batches(ledger) == made

    account = Batches()
    for batch in made:
        account.take(encode(batch))
    assert not account.faults
    assert not account.missing
    assert len(account.chains) == 2


async def test_what_was_missed_while_disabled_comes_later(pipeline: Pipeline) -> None:
    workspace, organization = fresh(), fresh("org")
    ledgers = [await pipeline.add(workspace=workspace), await pipeline.add(organization=organization)]
    wanted = pipeline.emit(workspace, 20, organization=organization)
    for ledger in ledgers:
        await pipeline.received(ledger, 20)
        pipeline.customers.disable(ledger.destination)
    await pipeline.in_force()
    missed = pipeline.emit(workspace, 20, organization=organization)
    elsewhere = pipeline.emit(fresh(), 7, organization=organization)
    await asyncio.to_thread(pipeline.log.flush)
    for ledger in ledgers:
        pipeline.customers.enable(ledger.destination)
    await pipeline.in_force()
    wanted += pipeline.emit(workspace, 20, organization=organization)
    for ledger, count in zip(ledgers, (20, 27), strict=True):
        trial = await auditcast(pipeline, "destinations", "backfill", ledger.destination, "--since", "1h", "--dry-run")
        told = await auditcast(pipeline, "destinations", "backfill", ledger.destination, "--since", "1h")
        assert trial["events"] == told["events"] == count
        await pipeline.received(ledger, 40 + count)
        ids = [event["id"] for event in pipeline.events(ledger)]
        assert sorted(ids) == sorted(wanted + missed + (elsewhere if count == 27 else []))
        assert not ledger.wrong
        assert not ledger.missing
