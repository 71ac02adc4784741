"""`auditcast reconcile` against a broker, over a small world of which the test keeps an account of its own."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from msgspec.structs import replace

from auditcast.console.backfill import Row
from auditcast.console.reconciling import reach
from auditcast.console.reconciling.counts import Counts, Window
from auditcast.console.reconciling.gathering import Findings, Gatherer
from auditcast.console.reconciling.log import Asked
from auditcast.console.scanning import Scan, headers_of
from auditcast.deliverers.expiring import RESOLVED_BY
from auditcast.deliverers.offsets import Prefix, text_of
from auditcast.deliverers.parts import part_id
from auditcast.deliverers.shards import marker_key
from auditcast.deliverers.unpacking import HEADER
from auditcast.kafka import clients
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.processors.effects import Bury, Move, PutBatch, PutState
from auditcast.processors.keys import Keys
from auditcast.processors.partition import Partition, Place
from auditcast.processors.state import State, link_key
from auditcast.processors.windows import NEVER
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas import controls
from auditcast.schemas.records import (
    Attempt,
    Attempted,
    Batch,
    DeadLetter,
    Delivery,
    Note,
    Parked,
    Revision,
)
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.conftest import PARTITIONS
from tests.e2e.replays import Shell

HOUR_MS = 3_600_000
WITHIN_S = 30
NOW = time.time_ns() // 1_000_000
BEGAN = NOW - 5 * HOUR_MS
LOCKS, ALL, ORG, SMALL = "dst_locks", "dst_all", "dst_org", "dst_small"
KEY = new_key()
SEALER = Sealer([KEY])
WORKSPACE, ORGANIZATION = "ws_1", "org_1"


def destination(name: str, **changes: Any) -> Revision:
    made = Revision(
        destination=name, number=1, nonce="0", state="active", changed_at=0, workspace=WORKSPACE, epoch="e",
        window_events=4,
    )  # fmt: skip
    return replace(made, **changes)


class World:
    """A log with a processor's core behind it; the test plays the deliverer."""

    def __init__(self, connection: Connection, *, broker_time: bool) -> None:
        self.connection = connection
        self.topics = Topics(connection.topic_prefix)
        self.batches: list[tuple[Batch, int, int]] = []
        """Each with its partition and offset."""
        self.revisions: dict[str, Revision] = {}
        self.emitted: Counter[str] = Counter()
        self.now = BEGAN
        self._broker_time = broker_time
        self._producer = clients.producer(connection)
        self._cores = {
            number: Partition(Place(self.topics.events, number, PARTITIONS), 0, State(), Keys(SEALER, None))
            for number in range(PARTITIONS)
        }
        self._read = dict.fromkeys(range(PARTITIONS), 0)

    def append(self, topic: str, key: str | None, value: bytes | None, partition: int = -1, headers: Any = ()) -> int:
        """Append a record; returns where it lies."""
        places: list[int] = []
        at = 0 if self._broker_time and topic == self.topics.events else self.now
        self._producer.produce(
            topic, value, key, partition, headers=list(headers), timestamp=at,
            on_delivery=lambda _, message: places.append(message.offset() or 0),
        )  # fmt: skip
        assert self._producer.flush(WITHIN_S) == 0
        return places[0]

    def say(self, revision: Revision) -> None:
        """Put a revision in force."""
        # Where the broker says what time it is, nobody wants to wait for half a minute.
        revision = replace(revision, window_ms=100 if self._broker_time else 30_000)
        self.revisions[revision.destination] = revision
        homes = [partition_of(WORKSPACE, PARTITIONS)] if revision.workspace else range(PARTITIONS)
        for home in homes:
            said = controls.control(controls.for_log(revision), home, SEALER)
            self.append(self.topics.events, None, said, home)

    def emit(self, count: int, category: str = "lock", partition: int | None = None, **more: Any) -> None:
        """Emit events of the one workspace."""
        fields = {"category": category, "action": "created", "actor": {"id": "u", "type": "user"}} | more
        with MemoryAuditLog() as log:
            for _ in range(count):
                log.emit(workspace=WORKSPACE, organization=ORGANIZATION, **fields)
            for value in log.values:
                home = partition_of(WORKSPACE, PARTITIONS) if partition is None else partition
                self.append(self.topics.events, WORKSPACE, value, home)
        for name, wanted in ((LOCKS, category == "lock"), (ALL, True), (ORG, True), (SMALL, True)):
            self.emitted[name] += count * wanted

    def later(self, ms: int) -> None:
        """Time goes by, and all windows are closed."""
        self.now += ms
        self.process()
        while any(core.windows.oldest() < NEVER for core in self._cores.values()):
            self.now += 31_000
            for number in range(PARTITIONS):
                self.append(self.topics.events, None, b"", number)
            self.process()

    def process(self) -> None:
        """Let the cores step through what is new, and write what they ask for."""
        for _ in range(2):  # what one moves, another one takes
            with Scan(self.connection, self.topics.events) as scan:
                rows = [
                    (message.partition() or 0, Row(
                        message.offset() or 0, message.timestamp()[1], message.key(), message.value(),
                        headers_of(message),
                    ))
                    for message in scan.messages(self._read)
                ]  # fmt: skip
            for number, row in rows:
                if row.offset >= self._read[number]:
                    self._read[number] = row.offset + 1
                    for effect in self._cores[number].step(row) or ():
                        self._carry_out(effect, number)

    def commit(self, group: str, topic: str, offsets: dict[int, tuple[int, str]]) -> None:
        """Note how far a group is, and what it has settled beyond."""
        consumer = clients.reader(self.connection, group_id=group)
        places = [TopicPartition(topic, number, offset, text) for number, (offset, text) in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()

    def processed(self) -> None:
        """Commit what the cores have taken, as far as no window is open."""
        offsets = {number: (min(self._read[number], core.windows.oldest()), "") for number, core in self._cores.items()}
        self.commit(self.topics.processor_group, self.topics.events, offsets)

    def attempted(self, batch: Batch, first: int = 0, last: int = 0, fate: str = "delivered") -> None:
        report = Attempted(
            destination=batch.destination, batch=batch.id, stream=batch.stream, sequence=batch.sequence,
            first_event=first or batch.first_event, last_event=last or batch.last_event, number=1, fate=fate,
            attempt=Attempt(at=self.now, latency_ms=1, status=200),
        )  # fmt: skip
        self.append(self.topics.attempts, batch.destination, encode(report))

    def copy(self, topic: str, batch: Batch, **delivery: Any) -> int:
        headers = [(HEADER, encode(Delivery(**delivery)))]
        return self.append(topic, batch.destination, encode(batch), headers=headers)

    def bury(self, batch: Batch, first: int = 0, last: int = 0) -> str:
        letter = DeadLetter(
            topic=self.topics.batches, partition=0, offset=0, at=self.now, reason="status-503", detail="",
            value=encode(batch), destination=batch.destination, first_event=first, last_event=last,
        )  # fmt: skip
        key = part_id(batch, first, last)
        self.append(self.topics.dead_letters, key, encode(letter))
        return key

    def findings(self, since: int = BEGAN - HOUR_MS, until: int = 0, only: Sequence[str] | None = None) -> Findings:
        """As the command has them."""
        window = Window(since, until or time.time_ns() // 1_000_000 + 60_000)
        chosen = [revision for name, revision in self.revisions.items() if only is None or name in only]
        asked = Asked(window, chosen, None if only is None else frozenset(only))
        return Gatherer(self.connection, asked, SEALER, lambda _: None).findings()

    def _carry_out(self, effect: object, number: int) -> None:
        topics = self.topics
        match effect:
            case PutBatch(batch=batch, link=link):
                home = partition_of(batch.destination, PARTITIONS)
                self.batches.append((batch, home, self.append(topics.batches, batch.destination, encode(batch))))
                self.append(topics.links, link_key(link.stream, link.sequence), encode(link), number)
            case PutState(key=key, record=record):
                self.append(topics.links, key, encode(record), number)
            case Move(partition=target, key=raw, value=value, headers=headers):
                self.append(topics.events, raw.decode(), value, target, headers)
            case Bury(key=key, letter=letter):
                self.append(topics.dead_letters, key, encode(letter))


def total(findings: Findings, name: str) -> Counts:
    """All hours of one destination."""
    sums = Counts()
    for (destination, _), counts in findings.table.items():
        if destination == name:
            sums = sums.plus(counts)
    return sums


@pytest.fixture
def one_broker(broker: Broker) -> None:
    """For what no other broker makes a difference to: each of these worlds takes 20 s on Apache Kafka."""
    if broker.broker_time:
        pytest.skip("the test of all fates is enough on a broker with a time of its own")


@pytest.fixture
def world(topics: Connection, broker: Broker) -> World:
    made = World(topics, broker_time=broker.broker_time)
    for revision in (
        destination(LOCKS, categories=["loc*"]),
        destination(ALL),
        destination(ORG, workspace=None, organization=ORGANIZATION),
        destination(SMALL, max_body_bytes=1000),
    ):
        made.say(revision)
    return made


def live(world: World) -> None:
    """Some hours of it."""
    wrong = (partition_of(WORKSPACE, PARTITIONS) + 1) % PARTITIONS
    world.emit(6)
    world.emit(3, category="workspace")
    world.later(40_000)
    world.emit(2, partition=wrong)
    world.later(HOUR_MS)
    world.emit(1, description="x" * 2000)  # too large for one of them
    world.say(destination(ALL, number=2, state="disabled"))
    world.emit(4)
    world.say(destination(ALL, number=3, entitled=False))
    world.emit(1)
    world.say(destination(ALL, number=4))
    world.emit(5)
    world.append(world.topics.events, WORKSPACE, b"no event", partition_of(WORKSPACE, PARTITIONS))
    world.later(HOUR_MS)
    # Into a window that stays open over the full hour, and closes.
    world.now = world.now - world.now % HOUR_MS + HOUR_MS - 5000
    world.emit(2)
    world.now += 10_000
    world.emit(1)
    world.later(60_000)
    world.processed()


def deliver(world: World, fate_of: Callable[[Batch], str]) -> None:
    """Play the deliverers, who settle whatever does not wait."""
    prefixes = {number: Prefix() for number in range(PARTITIONS)}
    for batch, home, offset in world.batches:
        prefixes[home].begin(offset)
        match fate_of(batch):
            case "split" if batch.first_event == batch.last_event:
                world.attempted(batch)
            case "delivered":
                world.attempted(batch)
            case "dead":
                world.bury(batch)
            case "resolved":
                key = world.bury(batch)
                world.append(world.topics.dead_letters, key, None, headers=[(RESOLVED_BY, b"ada")])
            case "noted":
                note = Note(
                    stream=batch.stream, sequence=batch.sequence, first_event=batch.first_event,
                    last_event=batch.last_event, kind="expired", by="", because="kept for 30 days", at=world.now,
                )  # fmt: skip
                said = controls.control(note, batch.partition, SEALER)
                world.append(world.topics.events, None, said, batch.partition)
            case "split":
                first = batch.first_event
                world.attempted(batch, fate="split")
                world.attempted(batch, first, first)
                world.copy(
                    world.topics.retries[1], batch, offset=offset, first_event=first + 1, last_event=batch.last_event
                )
            case "parked":
                place = world.copy(world.topics.parked, batch, offset=offset, parked_at=world.now)
                mark = Parked(destination=batch.destination, offset=place, at=world.now)
                world.append(world.topics.status, marker_key(batch.destination, place).decode(), encode(mark), home)
            case "waiting":
                continue
        prefixes[home].settle(offset)
    places = {number: (prefix.next, text_of(prefix.beyond)) for number, prefix in prefixes.items() if not prefix.empty}
    world.commit(world.topics.deliverer_group, world.topics.batches, places)


@pytest.mark.usefixtures("one_broker")
def test_everything_is_delivered_and_adds_up(world: World) -> None:
    live(world)
    deliver(world, lambda _: "delivered")
    found = world.findings()
    assert (found.faults, found.unknown, found.limits) == ([], [], {})
    for name in (LOCKS, ALL, ORG, SMALL):
        counts = total(found, name)
        assert counts.recounted
        assert counts.emitted == world.emitted[name]
        assert counts.wrong == 0
        left_out = (counts.disabled, counts.not_entitled, counts.refused, counts.refused_owed)
        assert left_out == {ALL: (4, 1, 0, 0), SMALL: (0, 0, 1, 1)}.get(name, (0, 0, 0, 0))
        assert counts.delivered == counts.batched == counts.emitted - sum(left_out[:3])
    owed = {(each.destination, each.place): each.events for each in found.owed}
    assert owed == {(SMALL, "refused"): 1, (None, "unreadable"): 1}


def test_each_fate_is_told_with_its_place(world: World) -> None:
    live(world)
    fates = {1: "delivered", 2: "split", 3: "dead", 4: "parked"}
    last = {
        name: max(batch.sequence for batch, _, _ in world.batches if batch.destination == name) for name in (LOCKS, ALL)
    }

    def fate(batch: Batch) -> str:
        if batch.destination == SMALL:
            return "resolved" if batch.sequence % 2 else "noted"
        if batch.destination in last and batch.sequence == last[batch.destination]:
            return "waiting"
        return fates.get(batch.sequence, "delivered")

    deliver(world, fate)
    found = world.findings()
    wanted: dict[str, Counter[str]] = {}
    names = {"dead": "dead_lettered", "noted": "expired"}
    for batch, _, _ in world.batches:
        told, events = fate(batch), batch.last_event - batch.first_event + 1
        sums = wanted.setdefault(batch.destination, Counter())
        if told == "split":
            sums.update({"delivered": 1, "retrying": events - 1})
        else:
            sums[names.get(told, told)] += events
    for name, sums in wanted.items():
        counts = total(found, name)
        assert counts.wrong == 0
        assert {fate: getattr(counts, fate) for fate in sums} == sums
        assert counts.batched == sums.total()
        assert counts.owed == sum(each.events for each in found.owed if each.destination == name)
    parked = [each for each in found.owed if each.place == "parked"]
    assert {(each.destination, each.first_sequence, each.last_sequence, each.topic) for each in parked} == {
        (name, 4, 4, world.topics.parked) for name in (LOCKS, ALL, ORG) if last.get(name, 99) > 4
    }


@pytest.mark.usefixtures("one_broker")
def test_what_is_lost_is_said(world: World) -> None:
    live(world)
    victim, home, _ = next(row for row in world.batches if row[0].destination == ALL and row[0].sequence == 2)
    deliver(world, lambda batch: "nothing" if batch.id == victim.id else "delivered")
    found = world.findings(only=[ALL])
    assert [(each.id, each.span) for each in found.unknown] == [(victim.id, (victim.first_event, victim.last_event))]
    assert total(found, ALL).unexplained == victim.last_event - victim.first_event + 1
    assert home == partition_of(ALL, PARTITIONS)
    world.attempted(victim)
    assert total(world.findings(only=[ALL]), ALL).wrong == 0


@pytest.mark.usefixtures("one_broker")
def test_events_that_no_batch_holds_are_owed_until_the_processors_have_passed_them(world: World) -> None:
    live(world)
    deliver(world, lambda _: "delivered")
    world.emit(3)  # nobody steps through them
    counts = total(found := world.findings(only=[ALL]), ALL)
    assert (counts.unbatched, counts.wrong, counts.emitted) == (3, 0, world.emitted[ALL])
    assert [(each.place, each.events) for each in found.owed if each.destination] == [("unbatched", 3)]
    home = partition_of(WORKSPACE, PARTITIONS)
    world.commit(world.topics.processor_group, world.topics.events, {home: (1 << 20, "")})
    counts = total(world.findings(only=[ALL]), ALL)
    assert (counts.unbatched, counts.missing) == (0, 3)


@pytest.mark.usefixtures("one_broker")
def test_a_part_of_the_time_adds_up_as_well(world: World) -> None:
    live(world)
    deliver(world, lambda _: "delivered")
    whole = world.findings(only=[ALL, ORG])
    hours = sorted({hour for _, hour in whole.table})
    assert len(hours) == 3
    for hour in hours:
        part = world.findings(hour, hour + HOUR_MS, only=[ALL, ORG])
        assert part.table == {key: counts for key, counts in whole.table.items() if key[1] == hour}


@pytest.mark.usefixtures("one_broker")
def test_repeats_and_strange_chains(world: World) -> None:
    live(world)
    again = [row[0] for row in world.batches if row[0].destination == ORG]
    forged = replace(again[-1], sequence=again[-1].sequence + 2, id="x", digest="0" * 64)
    for batch in again:
        world.batches.append(
            (batch, partition_of(ORG, PARTITIONS), world.append(world.topics.batches, ORG, encode(batch)))
        )
    deliver(world, lambda _: "delivered")
    counts = total(found := world.findings(only=[ORG]), ORG)
    assert (counts.wrong, found.faults, counts.delivered) == (0, [], world.emitted[ORG])
    world.append(world.topics.batches, ORG, encode(forged))
    found = world.findings(only=[ORG])
    assert found.faults == [f"of {forged.stream} batch {forged.sequence} follows batch {again[-1].sequence}"]
    assert total(found, ORG).surplus == forged.last_event - forged.first_event + 1


@pytest.mark.usefixtures("one_broker")
def test_the_command_says_it_all_and_ends_with_1_if_something_is_owed_for_too_long(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Shell(world.connection, monkeypatch, capfd)
    for revision in world.revisions.values():
        world.append(world.topics.destinations, revision.destination, encode(revision))
    assert "AUDITCAST_SEALING_KEYS is not set" in run("reconcile").err
    run.setting("sealing_keys", KEY)
    assert run("reconcile", "--grace", "soon").code == 2
    assert "there is no destination 'dst'" in run("reconcile", "--destination", "dst").err
    assert "workspace 'ws' has no destination" in run("reconcile", "--workspace", "ws").err
    live(world)
    deliver(world, lambda _: "delivered")
    late = run("reconcile")
    assert late.code == 1
    assert (
        "2 events are owed, 2 of them FOR LONGER THAN 1h"
        in run("reconcile", "--destination", SMALL, "--workspace", WORKSPACE).out
    )
    fine = run("reconcile", "--grace", "7d", "--json")
    assert (fine.code, fine.json["clean"], fine.json["limits"]) == (0, True, {})
    assert fine.json["total"]["emitted"] == sum(world.emitted.values())
    assert {each["destination"] for each in fine.json["destinations"]} == {LOCKS, ALL, ORG, SMALL}
    [letter] = [each for each in fine.json["owed"] if each["destination"] == SMALL]
    assert (letter["place"], letter["topic"], letter["late"]) == ("refused", world.topics.dead_letters, False)
    nothing = run("reconcile", "--until", "2020-01-01", "--since", "2019-12-31", "--destination", ALL)
    assert (nothing.code, nothing.out.count("\n")) == (0, 1)


def test_a_topic_in_which_little_is_written_tells_as_far_back_as_it_keeps_records(
    topics: Connection, broker: Broker
) -> None:
    if not broker.broker_time:
        pytest.skip("the embedded broker removes nothing")
    names, began = Topics(topics.topic_prefix), time.time_ns() // 1_000_000
    producer, admin = clients.producer(topics), AdminClient({"bootstrap.servers": broker.bootstrap})
    for _ in range(2):
        producer.produce(names.batches, b"x", partition=1)
    assert producer.flush(WITHIN_S) == 0
    assert reach.begins(topics, names.batches, [0, 1]) == 0
    for done in admin.delete_records([TopicPartition(names.batches, 1, 1)]).values():
        done.result()
    # As by age: what was removed is older than a week, whenever the next one came.
    assert 0 < reach.begins(topics, names.batches, [0, 1]) < began - 6 * 24 * HOUR_MS
    assert reach.begins(topics, names.batches, [0]) == 0
    bounded = ConfigResource(ResourceType.TOPIC, names.batches)
    bounded.add_incremental_config(
        ConfigEntry("retention.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
    )
    for answer in admin.incremental_alter_configs([bounded]).values():
        answer.result()
    assert reach.begins(topics, names.batches, [1]) >= began - 1000
