"""Everybody who writes to the events topic during a chaos run, well-behaved or not."""

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer

from auditcast.console.demo.chains import mark
from auditcast.console.demo.simulator import Platform, Workspace
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.events import MAX_EVENT_BYTES
from auditcast.schemas.records import Control, Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode

Composed = tuple[str, str, bytes]
"""An event's id, its workspace, and its bytes."""

ANSWER_S = 60.0

TURN_S = 0.02


async def at_rate(rate: float, emit: Callable[[], None]) -> None:
    """Call `emit` `rate` times a second until cancelled; after a delay it catches up."""
    started, done = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - started) * rate)
        for _ in range(due - done):
            emit()
        done = due
        await asyncio.sleep(TURN_S)


def composed(seed: int, places: Sequence[Workspace]) -> Iterator[Composed]:
    """Events as `AuditLog` writes them, for those who write them otherwise."""
    memory = MemoryAuditLog()
    for fields in Platform(seed, places, Catalogue.builtin()).events():
        yield memory.emit(**fields), fields["workspace"], memory.values.pop()


class Transactions(threading.Thread):
    """An emitter that writes in transactions and aborts a tenth of them, after their records are in the log."""

    def __init__(self, connection: Connection, seed: int, events: Iterator[Composed], rate: float) -> None:
        super().__init__(name="transactions", daemon=True)
        self.committed = 0
        self.aborted: set[int] = set()
        self.trouble: str | None = None
        self._topic = Topics(connection.topic_prefix).events
        self._events = events
        self._rate = rate
        self._rng = random.Random(seed)
        self._ending = threading.Event()
        self._producer = clients.producer(connection, transactional_id=f"chaos-{seed}", transaction_timeout_ms=30_000)

    def run(self) -> None:
        """Write until `end` is called."""
        try:
            _surely(self._producer.init_transactions)
            while not self._ending.is_set():
                self._one()
        except KafkaException as failed:
            self.trouble = f"the transactional emitter gave up: {failed}"

    def end(self) -> None:
        """Finish the transaction at hand and return."""
        self._ending.set()
        self.join(2 * ANSWER_S)

    def _one(self) -> None:
        size = self._rng.randint(5, 100)
        ids = set()
        self._producer.begin_transaction()
        for _ in range(size):
            id_, workspace, value = next(self._events)
            self._producer.produce(self._topic, key=workspace, value=value)
            ids.add(mark(id_.encode()))
        try:
            if self._rng.random() < 0.1:
                self._producer.flush(ANSWER_S)  # otherwise an abort would only drop them here, and prove nothing
                self._abort(ids)
            else:
                _surely(self._producer.commit_transaction)
                self.committed += size
        except KafkaException as failed:
            if not failed.args[0].txn_requires_abort():
                raise
            self._abort(ids)
        self._ending.wait(size / self._rate)

    def _abort(self, ids: set[int]) -> None:
        _surely(self._producer.abort_transaction)
        self.aborted |= ids


def _surely(operation: Callable[[float], object]) -> None:
    """Do it, again while that may help: a broker may be down."""
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            operation(ANSWER_S)
        except KafkaException as failed:
            if not failed.args[0].retriable() or time.monotonic() > deadline:
                raise
        else:
            return


class Strangers:
    """Writers that break the rules: wrong partitions, no keys, garbage, forgeries, ticks. `turn` does one misdeed."""

    def __init__(self, connection: Connection, seed: int, events: Iterator[Composed], partitions: int) -> None:
        self.done: dict[str, int] = {}
        self.moving = True
        self._topic = Topics(connection.topic_prefix).events
        self._events = events
        self._partitions = partitions
        self._rng = random.Random(seed)
        self._sealer = Sealer([new_key()])
        self._producer: Producer = clients.producer(connection)
        self._destinations: list[str] = []
        self._misdeeds: dict[str, tuple[float, Callable[[], Any]]] = {
            "misplaced": (60, self._misplaced),
            "without key": (20, self._without_key),
            "tick": (10, self._tick),
            "garbage": (5, self._garbage),
            "too large": (0.5, self._too_large),
            "forged control": (3, self._forged_control),
            "forged move": (3, self._forged_move),
        }

    def know(self, destination: str) -> None:
        """A destination that forgeries may be about."""
        self._destinations.append(destination)

    def turn(self) -> None:
        """One misdeed, drawn by weight."""
        weights = [weight for weight, _ in self._misdeeds.values()]
        [name] = self._rng.choices(list(self._misdeeds), weights)
        if not self.moving and name in {"misplaced", "without key", "forged move"}:
            return
        self._misdeeds[name][1]()
        self.done[name] = self.done.get(name, 0) + 1
        self._producer.poll(0)

    def end(self) -> None:
        """Wait until all is written."""
        self._producer.flush(60)

    def _write(self, value: bytes | None, partition: int | None = None, **more: Any) -> None:
        where = self._rng.randrange(self._partitions) if partition is None else partition
        self._producer.produce(self._topic, value=value, partition=where, **more)

    def _misplaced(self) -> None:
        _, workspace, value = next(self._events)
        wrong = partition_of(workspace, self._partitions) + self._rng.randrange(1, self._partitions)
        self._write(value, wrong % self._partitions, key=workspace)

    def _without_key(self) -> None:
        self._write(next(self._events)[2])

    def _tick(self) -> None:
        self._write(None)

    def _garbage(self) -> None:
        _, workspace, value = next(self._events)
        broken = [b"no json", value[:-2], b'{"id":"x"}', b"\xc3\x01" + self._rng.randbytes(40), self._rng.randbytes(9)]
        broken.append(value.replace(b'"workspaceid"', b'"workspace"'))
        self._write(self._rng.choice(broken), partition_of(workspace, self._partitions), key=workspace)

    def _too_large(self) -> None:
        _, workspace, value = next(self._events)
        large = value.replace(b'"metadata":{', b'"metadata":{"x":"%b",' % (b"x" * MAX_EVENT_BYTES))
        self._write(large, partition_of(workspace, self._partitions), key=workspace)

    def _forged_control(self) -> None:
        if not self._destinations:
            return
        partition = self._rng.randrange(self._partitions)
        name = self._rng.choice(self._destinations)
        forged = encode(
            Revision(destination=name, number=1000, nonce="ff", state="deleted", changed_at=0, workspace="x", epoch="e")
        )
        mac = self._sealer.sign(b"control", str(partition).encode(), forged)
        self._write(encode(Control(partition=partition, content=forged, mac=mac)), partition)

    def _forged_move(self) -> None:
        """A genuine event that claims to be moved, from an offset so high that later moves would seem repeated."""
        _, workspace, value = next(self._events)
        home = partition_of(workspace, self._partitions)
        where = b"%d@9000000000" % self._rng.randrange(self._partitions)
        mac = self._sealer.sign(b"moved", where, str(home).encode(), value)
        self._write(value, home, key=workspace, headers=[("auditcast-moved-from", where), ("auditcast-moved-mac", mac)])
