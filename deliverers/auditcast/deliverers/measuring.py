"""How many batches and destinations stand how, for the metrics; looked at now and then, in the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable

from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.shards import Shard

EVERY_S = 5.0
"""A thousand destinations take about a millisecond."""


async def keep_measuring(
    metrics: Metrics, lanes: Lanes, shards: Callable[[], list[Shard]], halted: Callable[[str], bool]
) -> None:
    """For ever: have `metrics` show how all destinations of `shards` stand."""
    while True:
        await measure(metrics, lanes, shards, halted)
        await asyncio.sleep(EVERY_S)


async def measure(
    metrics: Metrics, lanes: Lanes, shards: Callable[[], list[Shard]], halted: Callable[[str], bool]
) -> None:
    """Once. Between two shards others have their turn."""
    standings: Counter[str] = Counter()
    waiting = parked = partitions = 0
    for shard in shards():
        partitions += 1
        for account in shard.accounts.values():
            waiting += lanes.waiting(account.destination)
            parked += account.backlog.batches
            open_, destination = account.standing.open, account.destination
            standings["halted" if halted(destination) else "failing" if open_ else "well"] += 1
        await asyncio.sleep(0)
    metrics.measured(partitions=partitions, waiting=waiting, parked=parked, buffered=lanes.bytes, standings=standings)
