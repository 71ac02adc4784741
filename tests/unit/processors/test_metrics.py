"""What a processor counts, and that a handover counts no skipped event twice."""

import asyncio
from dataclasses import dataclass

from auditcast.processors import state
from auditcast.processors.effects import Effect, PutState
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.owned import Owned, take_over
from auditcast.schemas import controls
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.unit.processors.test_partition import HOME, SEALER, SIGNER, T0, Log, Record, event, revision
from tests.unit.processors.test_worker import Group, Reader, Writer, worker


def skipped(metrics: Metrics) -> dict[str, float | None]:
    name = "auditcast_processor_events_skipped_total"
    return {why: metrics.registry.get_sample_value(name, {"reason": why}) for why in ("disabled", "unentitled")}


def test_what_is_not_collected_is_counted_by_why() -> None:
    log = Log()
    log.obey()
    log.put(event())
    assert log.core.skips.new() == {"disabled": 0, "unentitled": 0}
    log.obey(number=2, entitled=False)
    log.put(event())
    log.put(event())
    log.obey(number=3, entitled=False, state="disabled")
    log.put(event())
    log.obey(number=4, state="disabled")
    log.put(event(), key=b"ws_1")
    log.obey(number=5)
    log.put(event())
    assert log.core.skips.new() == {"disabled": 2, "unentitled": 2}
    assert log.core.skips.new() == {"disabled": 0, "unentitled": 0}
    metrics = Metrics()
    metrics.skipped({"disabled": 2, "unentitled": 2})
    metrics.skipped({"disabled": 1, "unentitled": 0})
    assert skipped(metrics) == {"disabled": 3, "unentitled": 2}


def test_the_next_owner_counts_only_what_no_durable_count_has() -> None:
    log = Log()
    records: list[Record] = []

    def put(value: bytes) -> list[Effect]:
        effects = log.put(value)
        records.append(Record(log.offset, log.now, None, value))
        return effects

    durable = put(controls.control(revision(state="disabled"), HOME, SEALER))
    put(event())
    put(event())
    durable += log.core.skips.save()
    assert log.core.skips.new()["disabled"] == 2
    put(event())
    links = {effect.key.encode(): encode(effect.record) for effect in durable if isinstance(effect, PutState)}
    again = take_over(log.core.place, None, 0, state.load(links), Keys(SEALER, SIGNER)).core
    for record in records:
        again.step(record)
    assert again.skips.new()["disabled"] == 1


@dataclass
class Taking(Writer):
    """Takes writes, and forgets them."""

    in_flight: int = 7

    def apply(self, *_: object) -> None:
        """It is as good as durable."""


class Ending(Group):
    """Knows where the log ends."""

    def log_end(self, partition: int) -> int | None:
        return 12


async def test_a_worker_counts_what_its_core_asks_for_and_what_it_reads() -> None:
    log = Log()
    log.obey(window_events=2)
    made, _ = await worker(1, Reader(1))
    made.writer = Taking()  # type: ignore[assignment]  # a fake
    made._group = Ending()
    owned: asyncio.Future[Owned] = asyncio.get_running_loop().create_future()
    owned.set_result(Owned(log.core, 1))
    made._owned = {HOME: owned}  # type: ignore[dict-item]  # as good as a task
    disabling = controls.control(revision(number=2, state="disabled"), HOME, SEALER)
    forged = controls.control(revision(number=3), HOME, Sealer([new_key()]))
    values = [event(), event(), event(), b"{", event("ws_elsewhere" * 3), forged, disabling, event(), event()]
    await made.chunk(HOME, [Record(1 + place, T0, None, value) for place, value in enumerate(values)])
    await made.chunk(HOME, [Record(99, T0, None, b"")])  # not what comes next
    await made.commit()
    await made.commit()
    made.measure()
    found = {
        (sample.name.removeprefix("auditcast_processor_"), *sample.labels.values()): sample.value
        for family in made._metrics.registry.collect()
        for sample in family.samples
        if sample.value and not sample.name.endswith("_created")
    }
    assert found.pop(("batches_bytes_total",)) > 1000
    assert found == {
        ("records_read_total",): 9,
        ("events_collected_total",): 3,
        ("batches_total",): 2,
        ("events_refused_total", "undecodable"): 1,
        ("events_refused_total", "forged"): 1,
        ("events_moved_total",): 1,
        ("events_skipped_total", "disabled"): 2,
        ("chunks_stale_total",): 1,
        ("commits_total", "done"): 1,
        ("partitions",): 1,
        ("unacknowledged_bytes",): 7,
        ("records_unread", str(HOME)): 2,
    }
    made.revoked([HOME])
    made.measure()
    shown = {sample.name for family in made._metrics.registry.collect() for sample in family.samples}
    assert "auditcast_processor_records_unread" not in shown
