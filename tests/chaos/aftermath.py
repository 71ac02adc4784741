"""After the chaos: the account of what is owed while much is still broken, and then getting all of it delivered."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial

from confluent_kafka import Consumer, TopicPartition

from auditcast.console.demo.account import Letter
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.operator import Operator
from auditcast.console.demo.reading import Follower, Record
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.waiting import until
from tests.chaos import plan
from tests.chaos.journal import Journal
from tests.chaos.manifests import Manifests
from tests.chaos.places import Known, Owed, Places, Span
from tests.chaos.staff import Staff

READ_WITHIN_S = 60.0
STUCK_AFTER_S = 60.0
"""How long nothing may be delivered at the end before the rest counts as lost."""

REPLAYS = 4
"""A replay is a single attempt, and a worker may be busy with a rebalance."""


class Aftermath:
    """`strange` are copies unlike their originals, in sentences."""

    last_s = 20.0
    """For how long receivers fail at the end, so that something is owed: longer than all retries take."""

    def __init__(self, stage: Stage, staff: Staff, customers: Customers, journal: Journal) -> None:
        self._stage = stage
        self._customers = customers
        self._staff = staff
        self._journal = journal
        self._operator = Operator(stage.environment)
        self._places = Places(stage.topics)
        self.manifests = Manifests()

    @property
    def strange(self) -> list[str]:
        """Copies of batches that differ from the original."""
        return self._places.strange

    async def owed(self) -> Owed:
        """End the deliverers, so that nothing moves, and look where everything is that a receiver lacks."""
        stage = self._stage
        await stage.follower.caught_up(stage.topics.events, READ_WITHIN_S)
        await until(lambda: stage.account.batched >= stage.account.expectation.deliveries, READ_WITHIN_S)
        await self._staff.end_all(plan.DELIVERER)
        takers: dict[str, Callable[[Record], None]] = {
            topic: partial(self._places.take, topic) for topic in self._places.topics
        }
        takers[stage.topics.batches] = self._batch
        takers[stage.topics.manifests] = self.manifests.take
        follower = Follower(stage.connection, takers, stage.partitions)
        reading = asyncio.create_task(follower.run())
        try:
            read = await asyncio.gather(*(follower.caught_up(topic, READ_WITHIN_S) for topic in takers))
            if not all(read):
                self._journal.finding("not all topics could be read to their ends")
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            follower.close()
        owed = self._places.owed(self._received, await asyncio.to_thread(self._committed))
        waiting = ", ".join(f"{count} {place}" for place, count in sorted(owed.waiting.items())) or "none"
        self._journal.note(f"{owed.events} deliveries of events are owed, in {owed.batches} batches: {waiting}")
        await self._staff.restore_kind(plan.DELIVERER)
        return owed

    def _batch(self, record: Record) -> None:
        self._places.take(self._stage.topics.batches, record)
        self.manifests.take_batch(record)

    async def settled(self) -> bool:
        """Wait until everything was delivered, with the dead letters replayed as an operator does."""
        for _ in range(REPLAYS):
            await self._drained()
            if not (owed := self._to_replay()):
                break
            await self._replay(owed)
        return self._nothing_waits() and not self._to_replay()

    def _to_replay(self) -> list[Letter]:
        """The dead letters that can be replayed: those of a destination that was deleted have nowhere to go."""
        letters, deleted = self._stage.account.owed.values(), self._customers.deleted()
        return [letter for letter in letters if letter.destination not in deleted]

    async def _drained(self) -> None:
        """Wait until nothing waits any more, however long, as long as some is delivered."""
        account, delivered = self._stage.account, -1
        while account.delivered > delivered:
            delivered = account.delivered
            if await until(self._nothing_waits, STUCK_AFTER_S):
                return
            self._journal.note(f"{account.expectation.deliveries - account.delivered} are still to be delivered")

    def _nothing_waits(self) -> bool:
        """Whether all has arrived but what lies in dead letters (of which some may have arrived as well)."""
        account = self._stage.account
        lacking = account.batched - account.delivered
        return account.expectation.deliveries == account.batched and lacking <= account.owed_events

    async def _replay(self, owed: list[Letter]) -> None:
        """`auditcast dead-letters replay`, for every destination that has some."""
        self._journal.note(f"replay {len(owed)} dead letters")
        for destination in sorted({letter.destination for letter in owed}):
            said = await self._operator.run("dead-letters", "replay", "--destination", destination, "--yes")
            last = " / ".join(said.output.strip().splitlines()[-3:])
            self._journal.note(f"{said.command} ended with {said.code}: {last}")

    def _received(self, known: Known) -> Iterable[Span]:
        ledger = self._stage.account.ledgers.get(known.destination)
        return ledger.received(known.stream, known.sequence, known.span) if ledger is not None else ()

    def _committed(self) -> dict[tuple[str, int], int]:
        """The deliverers' offsets, by topic and partition."""
        own = self._stage.topics
        places = [
            TopicPartition(topic, partition)
            for topic in (own.batches, *own.retries)
            for partition in range(self._stage.partitions)
        ]
        consumer = Consumer(self._stage.connection.confluent(group_id=own.deliverer_group))
        try:
            found = consumer.committed(places, timeout=READ_WITHIN_S)
            return {(place.topic, place.partition): max(place.offset, 0) for place in found}
        finally:
            consumer.close()
