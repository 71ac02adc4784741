"""A whole pipeline for tests: workers as processes of their own, real TLS, and receivers that verify everything."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from auditcast.console.demo.account import Account
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.ledger import Ledger
from auditcast.console.demo.simulator import Scope
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.waiting import until
from auditcast.console.demo.workers import Worker
from auditcast.console.registry import Registry
from auditcast.kafka import clients
from auditcast.kafka.settings import Connection
from auditcast.producers import AuditLog
from auditcast.schemas.records import Batch, DeadLetter
from auditcast.schemas.wire import decode_as

WITHIN_S = 60.0
"""The bound of each wait: reached only if something is broken."""


class Pipeline:
    """One processor and one deliverer, and what tests do with them."""

    def __init__(self, stage: Stage, customers: Customers) -> None:
        self.stage = stage
        self.customers = customers
        self.connection = stage.connection
        self.processor = stage.workers.start("processor")
        self.deliverer = stage.workers.start("deliverer")
        self.log = AuditLog(stage.connection)
        self.raw = clients.producer(stage.connection)

    @property
    def account(self) -> Account:
        return self.stage.account

    async def add(self, *, window_seconds: int = 1, **settings: Any) -> Ledger:
        """A destination that is in force; what its receiver writes down."""
        scope = Scope(name="a test", window_seconds=window_seconds, **settings)
        destination = await asyncio.to_thread(self.customers.add, scope)
        await self.in_force()
        return self.account.ledgers[destination]

    async def in_force(self) -> None:
        await self._until(self.customers.all_in_force, "not in force")

    def emit(self, workspace: str, count: int = 1, **more: Any) -> list[str]:
        """Emit some events as a service does; their ids."""
        fields = {"category": "lock", "action": "created", "actor": {"id": "usr_1", "type": "user"}} | more
        return [self.log.emit(workspace=workspace, **fields) for _ in range(count)]

    def write(self, value: bytes | None, **more: Any) -> None:
        """Append a record to the events topic, whatever it is."""
        self.raw.produce(self.stage.topics.events, value=value, **more)

    async def settled(self) -> None:
        """Return once all that is in the log has arrived, everywhere."""
        await asyncio.to_thread(self.log.flush)
        await asyncio.to_thread(self.raw.flush)
        assert await self.stage.follower.caught_up(self.stage.topics.events, WITHIN_S)
        await self._until(lambda: self.account.settled, "not everything arrived")

    async def received(self, ledger: Ledger, count: int) -> None:
        """Return once a receiver has got `count` events."""
        await self._until(lambda: ledger.events >= count, "the receiver got too few events")

    async def letters(self, count: int) -> None:
        """Return once there are `count` dead letters."""
        await self._until(lambda: self.account.refused.total() >= count, "dead letters are missing")

    def batches(self, ledger: Ledger) -> list[Batch]:
        """The batches of one destination, each once, in order within a stream."""
        found = {}
        for value in self._everything(self.stage.topics.batches):
            batch = decode_as(Batch, value)
            if batch.destination == ledger.destination:
                found[batch.id] = batch
        return sorted(found.values(), key=lambda batch: (batch.stream, batch.sequence))

    def events(self, ledger: Ledger) -> list[dict[str, Any]]:
        """The events that one destination got."""
        return [event for batch in self.batches(ledger) for event in json.loads(batch.body)]

    def dead_letters(self) -> list[DeadLetter]:
        """All dead letters."""
        return [decode_as(DeadLetter, value) for value in self._everything(self.stage.topics.dead_letters)]

    async def replace(self, worker: Worker) -> Worker:
        """Kill a worker as a crash would, and start another."""
        worker.kill()
        assert await worker.ended(WITHIN_S)
        return self.stage.workers.start(worker.kind)

    async def _until(self, condition: Callable[[], bool], complaint: str) -> None:
        assert await until(condition, WITHIN_S), (complaint, self.account.rows(), self.stage.workers.failures())

    def _everything(self, topic: str) -> list[bytes]:
        reader = clients.reader(self.connection)
        values: list[bytes] = []
        ended: set[int | None] = set()
        try:
            reader.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in range(self.stage.partitions)])
            while len(ended) < self.stage.partitions:
                message = reader.poll(WITHIN_S)
                assert message is not None
                if message.error():
                    ended.add(message.partition())
                elif (value := message.value()) is not None:
                    values.append(value)
        finally:
            reader.close()
        return values


@asynccontextmanager
async def running(connection: Connection, folder: Path, *, broker_time: bool) -> AsyncIterator[Pipeline]:
    """A pipeline over topics that exist; all its processes end with it."""
    async with Stage(connection, folder, broker_time=broker_time) as stage:
        with Registry(connection) as registry:
            pipeline = Pipeline(stage, Customers(stage, registry))
            try:
                yield pipeline
            finally:
                pipeline.log.close()


def fresh(kind: str = "ws") -> str:
    """An id that no other test uses."""
    return f"{kind}_{token_hex(4)}"
