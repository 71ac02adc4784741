"""A receiver that is down, slow, paused or gone, and comes back: a real deliverer, broker and TLS."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from auditcast.kafka.settings import Connection
from tests.e2e.deliveries import Deliveries, until
from tests.hostile import Hostile

PATIENT = {"AUDITCAST_RETRY_DELAYS_MS": "500,1000,2000,4000,8000", "AUDITCAST_PROBE_MS": "5000"}


@pytest.fixture
def receiver(ca: trustme.CA) -> Iterator[Hostile]:
    with Hostile(ca) as server:
        yield server


@pytest.fixture
def deliveries(topics: Connection, ca: trustme.CA, tmp_path: Path) -> Deliveries:
    return Deliveries(topics, ca, tmp_path)


def _arrived(receiver: Hostile) -> list[str]:
    """The ids of what came to the moody receiver, in order."""
    return [request.headers["webhook-id"] for request in receiver.requests if request.path == "/moody"]


def test_an_outage_is_caught_up_with_in_order_and_others_notice_nothing(
    deliveries: Deliveries, receiver: Hostile
) -> None:
    sick = deliveries.destination(receiver.url("/moody"))
    well = deliveries.destination(receiver.url("/ok"))
    receiver.mood = 500
    with deliveries.deliverer(**PATIENT):
        first = deliveries.batches(sick, 40)
        until(lambda: deliveries.status(sick).open and deliveries.status(sick).parked >= 30, "the parked batches")
        fine = deliveries.batches(well, 3)
        until(lambda: len([one for one in receiver.requests if one.path == "/ok"]) == 3, "the others' deliveries")
        refused = len(_arrived(receiver))
        receiver.mood = 0
        until(lambda: {batch.id for batch in first} <= set(_arrived(receiver)[refused:]), "what was owed")
        until(lambda: deliveries.status(sick).parked == 0 and not deliveries.status(sick).open, "the good news")
        until(lambda: deliveries.markers() == set(), "the end of the markers")
        last = deliveries.batches(sick, 1)
        until(lambda: _arrived(receiver)[-1] == last[0].id, "a direct delivery")
    parked = [batch.id for batch in deliveries.parked(sick)]
    assert len(parked) == len(set(parked))  # each was written once more, not again and again
    released = [id_ for id_ in _arrived(receiver)[refused:] if id_ in parked]
    assert released == parked == [batch.id for batch in first if batch.id in parked]
    assert deliveries.letters() == {}
    assert deliveries.status(well).parked == 0
    assert deliveries.status(well).delivered[0].sequence == fine[-1].sequence


def test_what_is_paused_waits_over_restarts_and_goes_out_in_order(deliveries: Deliveries, receiver: Hostile) -> None:
    name = deliveries.destination(receiver.url("/ok"))
    deliveries.pause(name, paused=True)
    with deliveries.deliverer():
        before = deliveries.batches(name, 5)
        until(lambda: len(deliveries.parked(name)) == 5, "the parked batches")
    with deliveries.deliverer() as worker:
        after = deliveries.batches(name, 5)
        until(lambda: len(deliveries.parked(name)) == 10, "five more")
        worker.kill()
        until(lambda: worker.code is not None, "the end of the deliverer")
    assert receiver.requests == []
    with deliveries.deliverer():
        deliveries.pause(name, paused=False)
        until(lambda: len(receiver.requests) >= 10, "the deliveries")
        until(lambda: deliveries.markers() == set(), "the end of the markers")
    ids = list(dict.fromkeys(request.headers["webhook-id"] for request in receiver.requests))
    assert ids == [batch.id for batch in (*before, *after)]
    assert deliveries.letters() == {}


def test_a_receiver_that_is_gone_disables_its_destination_and_keeps_the_rest(
    deliveries: Deliveries, receiver: Hostile
) -> None:
    name = deliveries.destination(receiver.url("/410"))
    with deliveries.deliverer():
        batches = deliveries.batches(name, 4)
        until(lambda: len(deliveries.parked(name)) == 3, "the parked batches")
        until(lambda: len(deliveries.letters()) == 1, "the dead letter")
    assert [letter.reason for letter in deliveries.letters().values()] == ["status-410"]
    assert list(deliveries.letters()) == [batches[0].id]
    newest = deliveries.newest(name)
    assert (newest.state, newest.because, newest.halted) == ("disabled", "gone", True)
    assert len(receiver.requests) == 1


def test_a_retry_waits_until_it_is_due_and_carries_its_history(deliveries: Deliveries, receiver: Hostile) -> None:
    name = deliveries.destination(receiver.url("/moody"))
    receiver.mood = 503
    with deliveries.deliverer(AUDITCAST_RETRY_DELAYS_MS="1000,1500,1500,1500,1500"):
        (batch,) = deliveries.batches(name, 1)
        until(lambda: len(receiver.requests) == 2, "the first retry")
        receiver.mood = 0
        until(lambda: len(receiver.requests) == 3, "the second retry")
        until(lambda: len(deliveries.attempted(name)) == 3, "the attempts")
    tried = deliveries.attempted(name)
    assert [(one.number, one.fate, one.attempt.status) for one in tried] == [
        (1, "retry-1", 503),
        (2, "retry-2", 503),
        (3, "delivered", 200),
    ]
    assert tried[1].attempt.at - tried[0].attempt.at >= 1000
    assert tried[2].attempt.at - tried[1].attempt.at >= 1500
    assert {request.headers["webhook-id"] for request in receiver.requests} == {batch.id}
    signatures = {request.headers["webhook-signature"] for request in receiver.requests}
    assert len(signatures) == 3
