"""All that stands around a pipeline while it is being tried: receivers, workers, and who keeps the account."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Self

from auditcast.console.demo.account import Account
from auditcast.console.demo.batches import Batches
from auditcast.console.demo.certificates import Authority
from auditcast.console.demo.expectation import Expectation
from auditcast.console.demo.reading import Follower, Record
from auditcast.console.demo.receiver import Receiver
from auditcast.console.demo.workers import Workers
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import decode_as

NETWORK = "127.0.0.0/8"
"""Where the receivers are: an operator allows it, and nothing in the product looks away."""


class Stage:
    """A stage over topics that exist. Use as `async with`; workers are ended and files removed by who made `folder`.

    `broker_time`: whether the broker stamps the records; `receivers`: how many servers share the destinations.
    """

    def __init__(self, connection: Connection, folder: Path, *, broker_time: bool, receivers: int = 1) -> None:
        self.connection = connection
        self.topics = Topics(connection.topic_prefix)
        self._key = new_key()
        self.sealer = Sealer([self._key])
        self.partitions = partitions(connection)
        self.authority = Authority(folder)
        self.receivers = [Receiver(self.authority.server()) for _ in range(receivers)]
        self.account = Account(Expectation(self.partitions, self.sealer), Batches())
        self.environment = self._environment(self.authority.file, broker_time=broker_time)
        self.workers = Workers(self.environment, folder)
        takers = {
            self.topics.events: self._event,
            self.topics.batches: self._batch,
            self.topics.dead_letters: self._letter,
        }
        self.follower = Follower(connection, takers, self.partitions)
        self._following: asyncio.Task[None] | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for receiver in self.receivers:
            await self._stack.enter_async_context(receiver)
        self._following = asyncio.create_task(self.follower.run())
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.workers.end()
        if self._following is not None:
            self._following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._following
        self.follower.close()
        await self._stack.aclose()

    def expect(self, destination: str, secret: str) -> str:
        """Have one of the receivers take what comes for a destination, at the URL returned."""
        receiver = self.receivers[len(self.account.ledgers) % len(self.receivers)]
        self.account.ledgers[destination] = receiver.expect(destination, destination, secret)
        return receiver.url(destination)

    def receiver_of(self, destination: str) -> Receiver:
        """The one that takes what comes for a destination."""
        return next(receiver for receiver in self.receivers if destination in receiver.ledgers)

    def check(self) -> None:
        """Raise the error that ended the reading of the topics, if any: the account would be wrong."""
        if self._following is not None and self._following.done():
            self._following.result()

    def _event(self, record: Record) -> None:
        self.account.expectation.take(record.partition, record.offset, record.timestamp, record.value, record.headers)

    def _batch(self, record: Record) -> None:
        if record.value:
            self.account.batches.take(record.value)

    def _letter(self, record: Record) -> None:
        if record.key:
            letter = decode_as(DeadLetter, record.value) if record.value else None
            self.account.take_letter(record.key, letter)

    def _environment(self, ca_file: Path, *, broker_time: bool) -> dict[str, str]:
        """What the workers see: this process's own environment without its settings, and theirs."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUDITCAST_")}
        connection = {
            "AUDITCAST_" + name.upper(): str(getattr(self.connection, name))
            for name in self.connection.__struct_fields__
        }
        return (
            inherited
            | connection
            | {
                "AUDITCAST_SEALING_KEYS": self._key,
                "AUDITCAST_ALLOWED_NETWORKS": NETWORK,
                "AUDITCAST_DELIVERY_CA_FILE": str(ca_file),
                "AUDITCAST_TIMESTAMPS": "broker" if broker_time else "producer",
            }
        )
