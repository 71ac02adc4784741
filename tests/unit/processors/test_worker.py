"""What the worker lets in: only what comes next in the log, whatever it is handed."""

import asyncio
from dataclasses import dataclass, field

import pytest

from auditcast.processors import state
from auditcast.processors.clock import BrokerClock
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.owned import Owned
from auditcast.processors.partition import Partition, Place
from auditcast.processors.reader import Next
from auditcast.processors.worker import Worker
from auditcast.schemas.sealing import Sealer, new_key


@dataclass
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b""
    headers: tuple[tuple[str, bytes], ...] = ()


class Writer:
    """Takes no writes, for the records here have no effects."""

    is_full = False

    async def room(self) -> None:
        """There is always room."""


@dataclass
class Group:
    sought: list[tuple[int, int]] = field(default_factory=list)
    committed: list[dict[int, int]] = field(default_factory=list)

    async def seek(self, partition: int, offset: int) -> None:
        self.sought.append((partition, offset))

    async def commit(self, offsets: dict[int, int]) -> bool:
        self.committed.append(offsets)
        return True

    def log_end(self, partition: int) -> int | None:
        return None


class Reader:
    """Says what comes next in the log."""

    def __init__(self, offset: int | None, log_start: int = 0) -> None:
        self.found = Next(offset, log_start)

    def next(self, partition: int, offset: int) -> Next:
        return self.found


async def worker(next_offset: int, reader: Reader) -> tuple[Worker, Group]:
    """A worker that owns partition 0, where `next_offset` is expected."""
    group = Group()
    made = Worker.__new__(Worker)
    core = Partition(Place("audit.events", 0, 1), next_offset, state.State(), Keys(Sealer([new_key()]), None))
    task: asyncio.Future[Owned] = asyncio.get_running_loop().create_future()
    task.set_result(Owned(core, next_offset))
    made._owned = {0: task}  # type: ignore[dict-item]  # as good as a task
    made._committed = {0: next_offset}
    made._missed = set()
    made._clock = BrokerClock()
    made._reader = reader  # type: ignore[assignment]  # a fake
    made._group = group
    made._metrics = Metrics()
    made.writer = Writer()  # type: ignore[assignment]  # a fake
    return made, group


async def test_what_was_handed_over_before_is_skipped() -> None:
    made, group = await worker(5, Reader(None))
    await made.chunk(0, [Record(3), Record(4), Record(5), Record(6)])
    await made.chunk(0, [Record(2), Record(3)])
    await made.commit()
    assert (group.sought, group.committed) == ([], [{0: 7}])


async def test_a_hole_in_the_log_is_stepped_over() -> None:
    made, group = await worker(5, Reader(9))
    await made.chunk(0, [Record(9), Record(10)])
    await made.commit()
    assert (group.sought, group.committed) == ([], [{0: 11}])


async def test_a_stale_chunk_is_dropped_and_the_consumer_sent_back() -> None:
    made, group = await worker(5, Reader(5))
    await made.chunk(0, [Record(9)])
    await made.commit()
    assert (group.sought, group.committed) == ([(0, 5)], [])


async def test_expired_records_are_a_loss_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made, _ = await worker(5, Reader(9, log_start=9))
    await made.chunk(0, [Record(9)])
    (told,) = caplog.records
    assert told.getMessage() == "events.expired"
    assert {name: told.__dict__[name] for name in ("partition", "from", "to", "count")} == {
        "partition": 0,
        "from": 5,
        "to": 8,
        "count": 4,
    }


async def test_a_chunk_of_a_revoked_partition_is_nobodys() -> None:
    made, group = await worker(5, Reader(None))
    made.revoked([0])
    await made.chunk(0, [Record(5)])
    await made.commit()
    assert group.committed == []
