"""From `emit` to a verifying HTTPS receiver, every stage a process of its own."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from secrets import token_hex

import pytest
import pytest_asyncio
from cloudevents.core.bindings.kafka import to_binary_event, to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from auditcast.console.demo.waiting import until
from auditcast.console.entitling import settle
from auditcast.console.reconciling.counts import Window
from auditcast.console.reconciling.gathering import Gatherer
from auditcast.console.reconciling.log import Asked
from auditcast.console.registry import Registry
from auditcast.console.statuses import left_out
from auditcast.console.workspaces import Said, Workspaces, described
from auditcast.kafka import topics
from auditcast.kafka.local import Broker
from auditcast.kafka.partitioner import partition_of
from auditcast.producers import AuditLog
from auditcast.schemas.records import Control, Revision, Workspace
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.e2e.pipeline import WITHIN_S, Pipeline, fresh, running

pytestmark = pytest.mark.asyncio(loop_scope="module")
PARTITIONS = 4
CLOCKS_MS = 60_000
"""How far the clocks of the broker's machine and ours may be apart."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pipeline(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    """One for all tests here, since workers take seconds to start; each test has workspaces of its own."""
    connection = broker.connection(f"e2e-{token_hex(4)}")
    topics.create(connection, PARTITIONS)
    async with running(connection, tmp_path_factory.mktemp("e2e"), broker_time=broker.broker_time) as pipeline:
        yield pipeline


def whole(pipeline: Pipeline) -> None:
    """Every destination of every test so far has exactly what it must have."""
    account = pipeline.account
    assert {row.destination: (row.in_batches, row.at_receiver) for row in account.rows() if not row.good} == {}
    assert not any(ledger.wrong for ledger in account.ledgers.values())
    assert not account.batches.faults
    assert not account.strays()
    assert not account.undelivered


async def test_brings_every_event_to_every_destination(pipeline: Pipeline) -> None:
    workspace, organization = fresh(), fresh("org")
    several = [await pipeline.add(workspace=workspace, window_events=events) for events in (100, 7)]
    everything = await pipeline.add(organization=organization)
    ids = pipeline.emit(workspace, 150, organization=organization)
    others = [id_ for _ in range(8) for id_ in pipeline.emit(fresh(), 5, organization=organization)]
    await pipeline.settled()
    for ledger in several:
        assert [event["id"] for event in pipeline.events(ledger)] == ids
    assert sorted(event["id"] for event in pipeline.events(everything)) == sorted(ids + others)
    assert len(everything.chains) > 1, "an organization's events lie in several partitions"
    assert max(len(json.loads(batch.body)) for batch in pipeline.batches(several[1])) == 7
    whole(pipeline)


async def test_closes_the_window_of_an_event_after_which_nothing_happens(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace)
    [id_] = pipeline.emit(workspace)
    await pipeline.settled()
    assert [event["id"] for event in pipeline.events(ledger)] == [id_]


async def test_takes_what_other_services_write_in_their_own_way(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace)
    home = partition_of(workspace, PARTITIONS)
    with AuditLog(pipeline.connection, encoding="avro") as avro:
        ids = [avro.emit(workspace=workspace, category="lock", action="created", actor={"id": "u", "type": "user"})]
    for convert in (to_structured_event, to_binary_event):
        event = _of_the_sdk(workspace)
        message = convert(event, JSONFormat())
        pipeline.write(message.value, key=workspace, headers=message.headers)
        ids.append(event.get_id())
    for misplaced in ({"partition": (home + 1) % PARTITIONS, "key": workspace}, {"partition": (home + 2) % PARTITIONS}):
        event = _of_the_sdk(workspace)
        pipeline.write(to_structured_event(event, JSONFormat()).value, **misplaced)
        ids.append(event.get_id())
    await asyncio.to_thread(pipeline.raw.flush)
    await pipeline.received(ledger, len(ids))  # moved ones are on their way for a moment
    await pipeline.settled()
    got = {event["id"]: event for event in pipeline.events(ledger)}
    assert sorted(got) == sorted(ids)
    assert len(pipeline.events(ledger)) == len(ids)
    for id_ in ids[1:]:
        assert got[id_]["data"]["metadata"] == {"by": "the SDK"}
        assert got[id_]["source"] == f"https://atmos-pro.com/workspaces/{workspace}"
    whole(pipeline)


async def test_buries_what_cannot_be_taken_and_goes_on(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace)
    home = partition_of(workspace, PARTITIONS)
    before = pipeline.account.refused.total()
    forged = encode(
        Revision(
            destination=ledger.destination,
            number=99,
            nonce="ff",
            state="deleted",
            changed_at=0,
            workspace=workspace,
            epoch="x",
        )
    )
    mac = Sealer([new_key()]).sign(b"control", str(home).encode(), forged)
    bad = {
        "undecodable": [b"no json", b"\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00unknown", b"\xff\xfe"],
        "too-large": [b'{"specversion":"1.0","data":"%b"}' % (b"x" * 300_000)],
        "invalid-event": [b'{"specversion":"1.0","id":"1"}'],
        "forged": [encode(Control(partition=home, content=forged, mac=mac))],
    }
    ids = pipeline.emit(workspace)
    await asyncio.to_thread(pipeline.log.flush)
    for values in bad.values():
        for value in values:
            pipeline.write(value, partition=home, key=workspace)
    await asyncio.to_thread(pipeline.raw.flush)
    ids += pipeline.emit(workspace)
    await pipeline.settled()
    await pipeline.letters(before + 6)
    assert [event["id"] for event in pipeline.events(ledger)] == ids
    letters = {letter.value: letter for letter in pipeline.dead_letters()}
    for reason, values in bad.items():
        for value in values:
            letter = letters[value]
            assert letter.reason == reason, letter.detail
            assert letter.partition == home
            assert letter.detail
            assert "\n" not in letter.detail
    whole(pipeline)


async def test_says_in_the_chain_when_nothing_was_collected(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace)
    first = pipeline.emit(workspace)
    await pipeline.settled()
    disabled = await asyncio.to_thread(pipeline.customers.disable, ledger.destination)
    await pipeline.in_force()
    pipeline.emit(workspace, 3)
    await pipeline.settled()
    enabled = await asyncio.to_thread(pipeline.customers.enable, ledger.destination)
    await pipeline.in_force()
    last = pipeline.emit(workspace)
    await pipeline.settled()
    batches = pipeline.batches(ledger)
    assert [event["id"] for event in pipeline.events(ledger)] == first + last
    assert batches[0].gap == "-"
    began, ended = (int(text) for text in batches[-1].gap.split("-"))
    assert disabled.changed_at - CLOCKS_MS <= began < ended <= batches[-1].opened + CLOCKS_MS
    assert enabled.number > disabled.number
    whole(pipeline)


async def test_a_downgrade_stops_collecting_and_an_upgrade_resumes_it(pipeline: Pipeline) -> None:
    workspace = fresh()
    await put_on_plan(pipeline, workspace, "enterprise")
    ledger = await pipeline.add(workspace=workspace)
    first = pipeline.emit(workspace)
    await pipeline.settled()
    downgraded = await put_on_plan(pipeline, workspace, "free")
    pipeline.emit(workspace, 3)
    await pipeline.settled()
    await put_on_plan(pipeline, workspace, "enterprise")
    last = pipeline.emit(workspace)
    await pipeline.settled()
    batches = pipeline.batches(ledger)
    assert [event["id"] for event in pipeline.events(ledger)] == first + last
    began, ended = (int(text) for text in batches[-1].gap.split("-"))
    assert downgraded.since - CLOCKS_MS <= began < ended <= batches[-1].opened + CLOCKS_MS
    stopped = [pipeline.customers.current[ledger.destination]]
    assert await until(lambda: left_out(pipeline.connection, stopped)[ledger.destination].events == 3, WITHIN_S)
    whole(pipeline)


async def put_on_plan(pipeline: Pipeline, workspace: str, plan: str) -> Workspace:
    """As `auditcast workspaces set` does; returns once it is in force."""

    def put() -> Workspace:
        with Workspaces(pipeline.connection) as book:
            changed = book.change(
                workspace, lambda newest: described(newest, workspace, Said(plan=plan), ["enterprise"], now())
            )
        settled = settle(pipeline.connection)
        pipeline.customers.current.update((each.destination, each) for each in settled.changed)
        return changed.revision

    record = await asyncio.to_thread(put)
    await pipeline.in_force()
    return record


def now() -> int:
    return time.time_ns() // 1_000_000


async def test_loses_nothing_when_workers_are_killed(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace, window_events=10)
    ids = pipeline.emit(workspace, 95)
    await asyncio.to_thread(pipeline.log.flush)
    await pipeline.received(ledger, 10)
    pipeline.processor = await pipeline.replace(pipeline.processor)
    ids += pipeline.emit(workspace, 95)
    await asyncio.to_thread(pipeline.log.flush)
    await pipeline.received(ledger, len(ids) - 90)
    pipeline.deliverer = await pipeline.replace(pipeline.deliverer)
    ids += pipeline.emit(workspace, 95)
    await pipeline.settled()
    assert [event["id"] for event in pipeline.events(ledger)] == ids
    whole(pipeline)


async def test_ends_in_good_order(pipeline: Pipeline) -> None:
    workspace = fresh()
    ledger = await pipeline.add(workspace=workspace, window_seconds=5)
    ids = pipeline.emit(workspace, 5)
    await asyncio.to_thread(pipeline.log.flush)
    for worker in (pipeline.processor, pipeline.deliverer):
        worker.terminate()
        assert await worker.ended(10), f"{worker.name} does not end"
        assert worker.code == 0, worker.last_words()
    pipeline.processor = pipeline.stage.workers.start("processor")
    pipeline.deliverer = pipeline.stage.workers.start("deliverer")
    await pipeline.settled()
    assert [event["id"] for event in pipeline.events(ledger)] == ids
    whole(pipeline)


async def test_a_reconciliation_explains_all_of_it(pipeline: Pipeline) -> None:
    """Last, over all that the tests before have done: moved, refused, filtered, disabled, killed."""
    with Registry(pipeline.connection) as registry:
        revisions = registry.all()
    asked = Asked(Window(0, now() + CLOCKS_MS), revisions)
    gatherer = Gatherer(pipeline.connection, asked, pipeline.stage.sealer, lambda _: None)
    found = await asyncio.to_thread(gatherer.findings)
    assert (found.faults, found.unknown) == ([], [])
    assert {key: counts for key, counts in found.table.items() if counts.wrong or not counts.recounted} == {}
    delivered = Counter[str]()
    for (destination, _), counts in found.table.items():
        delivered[destination] += counts.delivered
    assert delivered == Counter({name: ledger.events for name, ledger in pipeline.account.ledgers.items()})
    assert {each.place for each in found.owed} <= {"unreadable", "refused"}


def _of_the_sdk(workspace: str) -> CloudEvent:
    return CloudEvent(
        attributes={
            "specversion": "1.0",
            "id": f"sdk_{token_hex(8)}",
            "source": f"https://atmos-pro.com/workspaces/{workspace}",
            "type": "pro.atmos.lock.created",
            "time": datetime.now(UTC),
            "datacontenttype": "application/json",
            "workspaceid": workspace,
        },
        data={
            "actor": {"id": "u", "type": "user"},
            "action": {"category": "lock", "action": "created"},
            "outcome": "success",
            "metadata": {"by": "the SDK"},
        },
    )
