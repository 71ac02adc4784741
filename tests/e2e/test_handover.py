"""A deliverer that is told to end while it has much to do, and its successor: nothing is lost, nothing is repeated."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from auditcast.kafka.local import Broker
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.schemas.records import Attempted, Batch
from auditcast.schemas.wire import decode_as
from tests.e2e.deliveries import Deliveries, until
from tests.hostile import Hostile, Request


@pytest.fixture
def receiver(ca: trustme.CA) -> Iterator[Hostile]:
    with Hostile(ca) as server:
        yield server


@pytest.fixture
def deliveries(topics: Connection, ca: trustme.CA, tmp_path: Path) -> Deliveries:
    return Deliveries(topics, ca, tmp_path)


def _ids(requests: list[Request], destination: str) -> list[str]:
    return [request.headers["webhook-id"] for request in requests if request.headers["x-webhook-id"] == destination]


def _all_ids(receiver: Hostile) -> list[str]:
    return [request.headers["webhook-id"] for request in receiver.requests]


def _in_order(batches: list[Batch]) -> list[str]:
    return [batch.id for batch in batches]


def test_requests_in_flight_are_settled_and_nothing_is_sent_twice(
    deliveries: Deliveries, receiver: Hostile, broker: Broker
) -> None:
    names = [deliveries.destination(receiver.url("/slow")) for _ in range(8)]
    owed = {name: deliveries.batches(name, 25) for name in names}
    with deliveries.deliverer():
        until(lambda: len(receiver.requests) > 20, "requests in flight to all destinations")
        # Leaving this ends it by SIGTERM, and expects it to end in good order.
    assert len(receiver.requests) < 8 * 25, "it had nothing left to do"
    with deliveries.deliverer():
        until(lambda: len({*_all_ids(receiver)}) == 8 * 25, "the rest")
    for name, batches in owed.items():
        ids = _ids(receiver.requests, name)
        # Without that, only what is settled before everything unsettled can be handed over.
        assert (ids if broker.offset_texts else [*dict.fromkeys(ids)]) == _in_order(batches)
    assert deliveries.letters() == {}


def test_retries_and_parked_batches_are_handed_over(deliveries: Deliveries, receiver: Hostile) -> None:
    failing, paused, busy = (deliveries.destination(receiver.url(path)) for path in ("/moody", "/ok", "/slow"))
    deliveries.pause(paused, paused=True)
    receiver.mood = 503
    owed = {name: deliveries.batches(name, 25) for name in (failing, paused, busy)}
    slowly = {"AUDITCAST_RETRY_DELAYS_MS": "1500,1500,1500,1500,1500"}
    with deliveries.deliverer(**slowly):
        until(lambda: deliveries.status(failing).parked > 10, "parked for the one that fails")
        until(lambda: deliveries.status(paused).parked == 25, "parked for the one that is paused")
    at_the_end = len(receiver.requests)
    assert "retry-1" in {attempted.fate for attempted in _attempts(deliveries)}
    receiver.mood = 0
    deliveries.pause(paused, paused=False)
    with deliveries.deliverer(**slowly):
        until(
            lambda: {*_ids(receiver.requests[at_the_end:], failing)} == {*_in_order(owed[failing])}, "what had failed"
        )
        until(lambda: _ids(receiver.requests, paused) == _in_order(owed[paused]), "what was paused, once and in order")
        until(lambda: _ids(receiver.requests, busy) == _in_order(owed[busy]), "what nobody disturbed")
        until(lambda: deliveries.status(failing).parked == 0, "the truth about what is parked")
    # Now that all have ended: what succeeded did so once, and attempts were counted on.
    assert max(Counter(_ids(receiver.requests[at_the_end:], failing)).values()) == 1
    assert len(_ids(receiver.requests, paused)) == len(_ids(receiver.requests, busy)) == 25
    counted = Counter((one.batch, one.number) for one in _attempts(deliveries) if one.fate.startswith("retry"))
    assert set(counted.values()) == {1}
    assert deliveries.letters() == {}


def _attempts(deliveries: Deliveries) -> list[Attempted]:
    with Scan(deliveries.connection, deliveries.topics.attempts) as scan:
        return [decode_as(Attempted, message.value() or b"") for message in scan.to_end()]
