"""What a deliverer counts; what follows from attempts is counted in test_dispatcher.py."""

import pytest

from auditcast.deliverers.fate import FATES, Policy, delivered_after, fates
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.measuring import measure
from auditcast.deliverers.metrics import STANDINGS, Metrics
from auditcast.deliverers.outcomes import Outcome, Piece, Reason, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.shards import Shard
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, Delivery
from tests.unit.deliverers.parcels import batch, parcel

POLICY = Policy(Topics(), (1,) * 5, 10**15)
ATTEMPT = Attempt(at=1, latency_ms=1, status=200)


def piece(verdict: Verdict, *, made: bool = True, share: bool = False) -> Piece:
    return Piece(0, 0, Outcome(reason=None, verdict=verdict, attempt=ATTEMPT if made else None), share)


def series(metrics: Metrics) -> int:
    return sum(len(family.samples) for family in metrics.registry.collect())


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        *((str(reason), str(reason)) for reason in Reason),
        ("status-503", "status-5xx"),
        ("status-404", "status-4xx"),
        ("status-999", "other"),
        ("whatever a receiver said", "other"),
    ],
)
def test_what_receivers_answer_makes_no_label_of_its_own(reason: str, label: str) -> None:
    metrics = Metrics()
    before = series(metrics)
    metrics.dead_letters(2, reason)
    metrics.dead_letters(0, "nothing died")
    assert metrics.registry.get_sample_value("auditcast_deliverer_dead_letters_total", {"reason": label}) == 2
    assert series(metrics) == before


@pytest.mark.parametrize(("status", "label"), [(204, "2xx"), (599, "5xx"), (999, "5xx"), (0, "1xx"), (None, "none")])
def test_requests_are_counted_by_the_class_of_their_status(status: int | None, label: str) -> None:
    metrics = Metrics()
    metrics.requested(0.3, status, 100)
    value = metrics.registry.get_sample_value
    assert value("auditcast_deliverer_request_seconds_bucket", {"status": label, "le": "0.5"}) == 1
    assert value("auditcast_deliverer_request_seconds_bucket", {"status": label, "le": "0.25"}) == 0
    assert value("auditcast_deliverer_sent_bytes_total") == (0 if status is None else 100)


def test_each_attempt_has_one_fate_and_a_share_of_one_has_none() -> None:
    pieces = [
        piece(Verdict.PARTLY),
        piece(Verdict.RETRY, share=True),
        piece(Verdict.DEAD),
        piece(Verdict.DELIVERED, made=False),
    ]
    assert fates(parcel(batch()), pieces, POLICY, 2) == ["partly", "dead-letter"]
    assert fates(parcel(batch()), [piece(Verdict.RETRY)], POLICY, 2, stays=True) == ["parked"]
    for tried in range(7):
        each = parcel(batch(), delivery=Delivery(offset=0, attempts=[ATTEMPT] * tried, began=1))
        for verdict in Verdict:
            assert set(fates(each, [piece(verdict)], POLICY, 2)) <= set(FATES)


@pytest.mark.parametrize(
    ("each", "pieces", "delay"),
    [
        (parcel(batch()), [piece(Verdict.DELIVERED)], 7),
        (parcel(batch()), [piece(Verdict.SPLIT), piece(Verdict.DELIVERED), piece(Verdict.DELIVERED)], 7),
        (parcel(batch()), [piece(Verdict.SPLIT), piece(Verdict.DELIVERED), piece(Verdict.RETRY)], None),
        (parcel(batch()), [piece(Verdict.DELIVERED, made=False)], None),
        (parcel(batch(test=True)), [piece(Verdict.DELIVERED)], None),
        (parcel(batch(), delivery=Delivery(offset=0, replay="r")), [piece(Verdict.DELIVERED)], None),
        (parcel(None), [piece(Verdict.DELIVERED)], None),
    ],
    ids=["whole", "in parts", "one part later", "a repeat", "a test", "a replay", "unreadable"],
)
def test_the_delay_is_that_of_what_was_delivered_whole(each: Parcel, pieces: list[Piece], delay: int | None) -> None:
    assert delivered_after(each, pieces, 7) == delay


async def test_destinations_are_counted_by_how_they_stand() -> None:
    shards = [Shard(number, "audit.batches.parked", 60) for number in (0, 1)]
    shards[0].account("dst_0")
    failing, halted = shards[1].account("dst_1"), shards[1].account("dst_2")
    failing.standing.open = halted.standing.open = True
    failing.backlog.batches, halted.backlog.batches = 2, 3
    lanes = Lanes(10**6)
    lanes.add(parcel(batch("dst_0")), 0)
    lanes.add(parcel(batch("dst_0", 2)), 0)
    metrics = Metrics()
    await measure(metrics, lanes, lambda: shards, "dst_2".__eq__)
    value = metrics.registry.get_sample_value
    for standing in STANDINGS:
        assert value("auditcast_deliverer_destinations", {"standing": standing}) == 1
    gauges = ("partitions", "batches_waiting", "batches_parked", "buffered_bytes")
    assert [value(f"auditcast_deliverer_{name}") for name in gauges] == [2, 2, 5, lanes.bytes]
    await measure(metrics, Lanes(10**6), list, "dst_2".__eq__)
    assert value("auditcast_deliverer_destinations", {"standing": "failing"}) == 0
