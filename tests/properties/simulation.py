"""A broker, workers and a history in memory, driven by one source of randomness: what may go wrong, goes wrong.

The processor's own core, `Owned` and `Writer` run on it. Writes become durable, and are acknowledged, when the
randomness says so, in the order of each topic partition; workers crash at any moment; a worker that was stopped goes
on writing beside its successor, with commits that are refused.
"""

import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from auditcast.kafka.names import Topics
from auditcast.processors import state
from auditcast.processors.keys import Keys
from auditcast.processors.owned import take_over
from auditcast.processors.partition import Place
from auditcast.processors.writer import Writer
from auditcast.schemas import controls, events
from auditcast.schemas.records import AuditEvent, Batch, Manifest, Note, Option, Revision, Skipped
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, new_signing_key
from auditcast.schemas.wire import decode_as, encode

PARTITIONS = 2
TOPICS = Topics("audit")
SEALER = Sealer([new_key()])
SIGNER = Signer([new_signing_key()])
STRANGER = Sealer([new_key()])
WORKSPACES = [["ws_c", "ws_h"], ["ws_a"]]
"""Of partition 0 and 1."""
ACTOR = "usr_1"


@dataclass
class Record:
    """A record of the events topic."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Broker:
    """What is durable."""

    logs: list[list[Record]] = field(default_factory=lambda: [[] for _ in range(PARTITIONS)])
    links: list[dict[bytes, bytes]] = field(default_factory=lambda: [{} for _ in range(PARTITIONS)])
    batches: list[Batch] = field(default_factory=list)
    manifests: list[Manifest] = field(default_factory=list)
    letters: dict[bytes, bytes] = field(default_factory=dict)
    commits: list[int | None] = field(default_factory=lambda: [None] * PARTITIONS)
    clock: int = 1_700_000_000_000

    def append(self, partition: int, value: bytes, key: bytes | None = None, headers: Any = ()) -> None:
        """Append to the events topic, at the broker's time."""
        log = self.logs[partition]
        log.append(Record(len(log), self.clock, key, value, tuple(headers)))

    def write(self, topic: str, value: bytes | None, where: dict[str, Any]) -> None:
        """Make one write durable."""
        if topic == TOPICS.batches:
            self.batches.append(decode_as(Batch, value or b""))
        elif topic == TOPICS.dead_letters:
            self.letters[where["key"]] = value or b""
        elif topic == TOPICS.manifests:
            self.manifests.append(decode_as(Manifest, value or b""))
        elif topic == TOPICS.events:
            self.append(where["partition"], value or b"", where.get("key"), where.get("headers", ()))
        elif value is None:
            self.links[where["partition"]].pop(where["key"], None)
        else:
            self.links[where["partition"]][where["key"]] = value


class FakeProducer:
    """confluent-kafka's Producer, as far as the writer uses it; each topic partition keeps its order."""

    def __init__(self, broker: Broker, slow: str | None = None) -> None:
        """Writes to the topic `slow` come after all others."""
        self._broker = broker
        self._slow = slow
        self._queues: defaultdict[tuple[str, int | None], deque[Any]] = defaultdict(deque)
        self._acks: deque[Callable[[Any, Any], None]] = deque()

    def produce(self, topic: str, value: bytes | None, *, on_delivery: Any, **where: Any) -> None:
        """Queue one write."""
        self._queues[topic, where.get("partition")].append((topic, value, where, on_delivery))

    def progress(self, rng: random.Random, *, silently: bool = False) -> bool:
        """Let one queued write become durable, or one acknowledgement arrive; whether there was any to choose."""
        waiting = {where: queue for where, queue in self._queues.items() if queue}
        ready = [queue for (topic, _), queue in waiting.items() if topic != self._slow] or [*waiting.values()]
        if self._acks and (not ready or rng.random() < 0.6):
            self._acks.popleft()(None, None)
            return True
        if not ready:
            return False
        topic, value, where, on_delivery = rng.choice(ready).popleft()
        self._broker.write(topic, value, where)
        if not silently:
            self._acks.append(on_delivery)
        return True


class Worker:
    """One worker's hold on one partition."""

    def __init__(self, broker: Broker, partition: int, signer: Signer | None = SIGNER, slow: str | None = None) -> None:
        self.broker = broker
        self.partition = partition
        self.producer = FakeProducer(broker, slow)
        self.writer = Writer(self.producer, TOPICS, _fail)  # type: ignore[arg-type]  # a fake
        place = Place(TOPICS.events, partition, PARTITIONS)
        self.owned = take_over(
            place,
            broker.commits[partition],
            0,
            state.load(broker.links[partition]),
            Keys(SEALER, signer),
        )
        self.start = self.owned.next
        self.owned.begin(self.writer)

    def chunk(self, size: int) -> bool:
        """Step through up to `size` records; whether there were any."""
        log = self.broker.logs[self.partition][self.owned.next : self.owned.next + size]
        for record in log:
            self.owned.apply(self.owned.core.step(record) or (), self.writer)
        if log:
            self.owned.checkpoint(log[-1].offset + 1, self.writer)
        return bool(log)

    def commit(self) -> None:
        """Commit, and drop the state that the commit makes superfluous."""
        offset, commits = self.owned.committable(self.writer), self.broker.commits
        if offset != self.start:
            commits[self.partition] = max(commits[self.partition] or 0, offset)
        for key in self.owned.core.droppable(commits[self.partition] or 0):
            self.writer.drop(key, self.partition)

    def finish(self, rng: random.Random) -> None:
        """Run to the end of the log and make everything durable."""
        while self.chunk(100) or self.producer.progress(rng):
            self.owned.save(self.writer)
        self.commit()


def _fail(error: BaseException) -> None:
    raise error


class History:
    """What the world does: emits, changes destinations, lets time pass; and what the workers suffer."""

    def __init__(self, rng: random.Random, *, choosy: bool = False) -> None:
        """With `choosy` destinations that select and redact events, in several formats."""
        self.rng = rng
        self.choosy = choosy
        self.signer: Signer | None = SIGNER
        """None: the workers are of a release without manifests."""
        self.broker = Broker()
        self.workers: list[Worker | None] = [None] * PARTITIONS
        self.stopped: list[Worker] = []
        self.revisions: dict[str, Revision] = {}
        self.emitted: dict[str, tuple[str, int]] = {}
        """Per event id its workspace, and the partition that it was put into."""
        self.noted = 0

    def run(self, steps: int) -> None:
        """`steps` random deeds, then a quiet end in which everything is finished."""
        for _ in range(steps):
            self._deed()
        self._settle()
        for worker in self.stopped:
            while worker.producer.progress(self.rng):
                pass
        self._emit()
        # Twice, since finishing one partition may move events into the other.
        self._settle()
        self._settle()

    def upgrade(self, steps: int) -> None:
        """`steps` random deeds under the release without manifests, whose workers have all ended then."""
        self.signer = None
        for _ in range(steps):
            self._deed()
        for worker in filter(None, self.workers):
            self._end(worker)
        self.stopped.clear()
        self.signer = SIGNER

    def _settle(self) -> None:
        """Close every window and manifest, and have a fresh worker finish each partition."""
        self.broker.clock += 60_000
        for partition in range(PARTITIONS):
            self.broker.append(partition, b"")
        for partition in range(PARTITIONS):
            Worker(self.broker, partition).finish(self.rng)
        self.broker.clock += 3_600_000
        for partition in range(PARTITIONS):
            self.broker.append(partition, b"")
            Worker(self.broker, partition).finish(self.rng)

    def _deed(self) -> None:
        rng = self.rng
        partition = rng.randrange(PARTITIONS)
        worker = self.workers[partition]
        match rng.randrange(17):
            case 0 | 1 | 2 | 3:
                self._emit()
            case 4:
                self._revise()
            case 5:
                self._nuisance(partition)
            case 6:
                self.broker.clock += rng.choice([1, 500, 3_000, 20_000, -700, 600_000, 3_600_000])
            case 16:
                self._note(partition)
            case 7 if worker is not None and rng.random() < 0.5:
                self._end(worker)
            case _ if worker is None:
                slow = rng.choice([None, None, TOPICS.batches, TOPICS.links, TOPICS.manifests])
                self.workers[partition] = Worker(self.broker, partition, self.signer, slow)
            case 8 | 9:
                worker.chunk(rng.randint(1, 6))
            case 10:
                worker.commit()
            case 11 | 12 if self.stopped:
                self._awake(rng.choice(self.stopped))
            case _:
                for _ in range(rng.randint(1, 6)):
                    worker.producer.progress(rng)

    def _end(self, worker: Worker) -> None:
        """Killed, with some writes on their way; or stopped, to wake up when another has taken over."""
        self.workers[worker.partition] = None
        if self.rng.random() < 0.5:
            self.stopped.append(worker)
        else:
            for _ in range(self.rng.randint(0, 4)):
                worker.producer.progress(self.rng, silently=True)

    def _awake(self, worker: Worker) -> None:
        if self.rng.random() < 0.3:
            worker.chunk(self.rng.randint(1, 4))
        for _ in range(self.rng.randint(1, 5)):
            worker.producer.progress(self.rng)

    def _emit(self) -> None:
        rng = self.rng
        for _ in range(rng.randint(1, 4)):
            home = rng.randrange(PARTITIONS)
            workspace = rng.choice(WORKSPACES[home])
            partition = 1 - home if rng.random() < 0.2 else home
            identity = f"aud_{len(self.emitted)}"
            self.emitted[identity] = (workspace, partition)
            value = _event(identity, workspace, rng, choosy=self.choosy)
            self.broker.append(partition, value, workspace.encode() if rng.random() < 0.8 else None)
            self.broker.clock += rng.randint(0, 5)

    def _revise(self) -> None:
        """A new state of some destination, appended as a worker would; sometimes twice, or an old one again."""
        rng = self.rng
        name = rng.choice(["dst_1", "dst_2", "dst_3", "dst_org"])
        old = self.revisions.get(name)
        number = 1 if old is None else old.number + 1
        home = 1 if name == "dst_3" else 0
        revision = Revision(
            destination=name,
            number=number,
            nonce=str(rng.randrange(100)),
            state=rng.choices(["active", "disabled", "deleted"], [8, 3, 0.5])[0],
            entitled=rng.random() < 0.8,
            changed_at=0,
            workspace=None if name == "dst_org" else WORKSPACES[home][0],
            organization="org" if name == "dst_org" else None,
            epoch=f"{name}-epoch",
            window_events=rng.choice([1, 2, 3, 5]),
            window_ms=rng.choice([1_000, 5_000, 30_000]),
            max_body_bytes=rng.choice([900, 1_600, 900_000]),
            manifests=rng.random() < 0.3,
            **(_choices(name, rng) if self.choosy else {}),
        )
        self.revisions[name] = revision
        for partition in range(PARTITIONS) if name == "dst_org" else [home]:
            for version in (revision, old, revision):
                if version is revision or (version is not None and rng.random() < 0.2):
                    self.broker.append(partition, controls.control(version, partition, SEALER))

    def _note(self, partition: int) -> None:
        """Something is said of a batch of some stream, perhaps of one that has ended; sometimes twice."""
        rng = self.rng
        streams = sorted({batch.stream for batch in self.broker.batches if batch.partition == partition})
        if not streams or self.signer is None:
            return
        self.noted += 1
        note = Note(
            stream=rng.choice(streams),
            sequence=1,
            first_event=1,
            last_event=1,
            kind="resolved",
            by="ada",
            # A few long ones are all that a manifest has room for.
            because=f"note {self.noted}{rng.choice(['', '', '!' * 8_000])}",
            at=self.broker.clock,
        )
        for _ in range(rng.choice([1, 1, 2, 5])):
            self.broker.append(partition, controls.control(note, partition, SEALER))

    def _nuisance(self, partition: int) -> None:
        revision = Revision(destination="dst_1", number=99, nonce="", state="deleted", changed_at=0, epoch="x")
        self.broker.append(
            partition, self.rng.choice([b"", b"{", b"\xc3\x01", controls.control(revision, partition, STRANGER)])
        )


def _choices(destination: str, rng: random.Random) -> dict[str, Any]:
    """What a destination wants of the events, and how."""
    form = rng.choice(["cloudevents/1", "cloudevents/2", "datadog/1", "elastic/1", "splunk/1"])
    return {
        "format": form,
        "options": [Option("service", "audit")] if form == "datadog/1" and rng.random() < 0.5 else [],
        "categories": rng.choice([[], [], ["team*"], ["lock", "team*"]]),
        "outcome": rng.choice(["", "", "success", "failure"]),
        "dropped": rng.choice([[], [], ["actor.email"], ["metadata.text", "target"]]),
        "hashed": rng.choice([[], [], ["actor.id", "actor.name"]]),
        "salt": SEALER.seal(f"{destination}/salt", "a salt"),
    }


def _event(identity: str, workspace: str, rng: random.Random, *, choosy: bool) -> bytes:
    organization = rng.choice([None, "org"])
    category, outcome = ("lock", "success")
    if choosy:
        category, outcome = rng.choice(["lock", "team", "team_member"]), rng.choice(["success", "failure"])
    if rng.random() < 0.1:
        return encode(
            AuditEvent(
                id=identity,
                workspace=workspace,
                organization=organization,
                category=category,
                action="created",
                outcome=outcome,  # type: ignore[arg-type]  # one of the two
                actor_id=ACTOR,
                actor_type="user",
                occurred_at=1_700_000_000_000,
            )
        )
    text = "x" * rng.choice([0, 0, 0, 300, 1_500])
    value = (
        f'{{"specversion":"1.0","id":"{identity}","source":"https://atmos-pro.com/workspaces/{workspace}",'
        '"type":"pro.atmos.lock.created","time":"2025-01-15T10:30:00.000Z","datacontenttype":"application/json",'
        f'"data":{{"actor":{{"id":"{ACTOR}","type":"user"}},"action":{{"category":"{category}","action":"created"}},'
        f'"target":null,"description":null,"metadata":{{"text":"{text}"}},"outcome":"{outcome}"}},'
        f'"workspaceid":"{workspace}"' + (f',"organizationid":"{organization}"}}' if organization else "}")
    ).encode()
    assert events.encode(events.decode(value)) == value
    return value


class Made(NamedTuple):
    """What comes of a log."""

    batches: list[Batch]
    manifests: list[Manifest]
    counts: dict[tuple[int, str], Skipped]


def undisturbed(broker: Broker) -> Made:
    """What one worker makes of the same logs when nothing goes wrong."""
    calm = Broker(logs=[list(log) for log in broker.logs])
    lengths = [len(log) for log in calm.logs]
    for partition in range(PARTITIONS):
        Worker(calm, partition).finish(random.Random(0))
    # Events that this run moved lie behind the end that the disturbed run saw, and were moved there already.
    batches = [batch for batch in calm.batches if batch.last_offset < lengths[batch.partition]]
    return Made(batches, calm.manifests, counts(calm))


def counts(broker: Broker) -> dict[tuple[int, str], Skipped]:
    """Per partition and destination, the events that were not collected, as the newest record has them."""
    return {
        (partition, name): entries[-1]
        for partition in range(PARTITIONS)
        for name, entries in state.load(broker.links[partition]).skipped.items()
    }
