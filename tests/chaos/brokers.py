"""Harm done to the brokers, to one node at a time: what was acknowledged lies on two others."""

import asyncio
import time

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.local import ApacheBroker
from tests.chaos import plan
from tests.chaos.journal import Journal

REPLICATED_WITHIN_S = 90.0
LOOK_EVERY_S = 0.5


class Brokers:
    """`calm` is held while a node is down or stalled, and until it has caught up."""

    def __init__(self, broker: ApacheBroker, journal: Journal) -> None:
        self.calm = asyncio.Lock()
        self._broker = broker
        self._journal = journal

    async def fall(self, action: plan.Fall) -> bool:
        """End a node, and start it again."""
        if self.calm.locked():
            return False
        node = self._node(action)
        async with self.calm:
            self._journal.note(f"{'end' if action.gently else 'kill'} broker {node} for {action.lasting:.1f} s")
            await asyncio.to_thread(self._broker.terminate if action.gently else self._broker.kill, node)
            await asyncio.sleep(action.lasting)
            await asyncio.to_thread(self._broker.restart, node)
            await self._replicated()
            self._journal.note(f"broker {node} is back and has caught up")
        return True

    async def stall(self, action: plan.Stall) -> bool:
        """Have a node stand still."""
        if self.calm.locked():
            return False
        node = self._node(action)
        async with self.calm:
            self._journal.note(f"stall broker {node} for {action.lasting:.1f} s")
            self._broker.suspend(node)
            await asyncio.sleep(action.lasting)
            self._broker.resume(node)
            await self._replicated()
        return True

    def _node(self, action: plan.Action) -> int:
        return int(action.pick * len(self._broker.pids))

    async def _replicated(self) -> None:
        deadline = time.monotonic() + REPLICATED_WITHIN_S
        admin = clients.Admin(self._broker.connection())
        while not await asyncio.to_thread(_whole, admin):
            if time.monotonic() > deadline:
                self._journal.finding(f"not all replicas were in sync within {REPLICATED_WITHIN_S:.0f} s")
                return
            await asyncio.sleep(LOOK_EVERY_S)


def _whole(admin: clients.Admin) -> bool:
    """Whether every partition has all its replicas in sync."""
    try:
        found = admin.metadata().topics.values()
    except BrokerUnavailable:
        return False
    return all(len(one.isrs) == len(one.replicas) for topic in found for one in topic.partitions.values())
