"""The deliverer as a process, a real broker, and receivers over real TLS, some of them hostile."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import standardwebhooks
import svix
import trustme

from auditcast.console.demo.workers import Worker
from auditcast.deliverers.outcomes import Reason
from auditcast.kafka.settings import Connection
from auditcast.schemas.chain import link_digest
from auditcast.schemas.records import Batch
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import Deliveries, until
from tests.hostile import Hostile, Request, closed_port

CREDENTIAL = "Bearer correct-horse-battery"


@pytest.fixture
def receiver(ca: trustme.CA) -> Iterator[Hostile]:
    with Hostile(ca) as server:
        yield server


@pytest.fixture
def deliveries(topics: Connection, ca: trustme.CA, tmp_path: Path) -> Deliveries:
    return Deliveries(topics, ca, tmp_path)


def _got(receiver: Hostile, destination: str) -> list[Request]:
    return [request for request in receiver.requests if request.headers["x-webhook-id"] == destination]


def _ids(requests: list[Request]) -> list[str]:
    return [request.headers["webhook-id"] for request in requests]


def _verify(request: Request, batch: Batch, secret: str) -> None:
    """As a receiver would, with nothing of ours but the chain's formula."""
    headers = request.headers
    assert request.body == batch.body
    standardwebhooks.Webhook(secret).verify(request.body, headers)
    svix.Webhook(secret).verify(request.body, headers)
    assert headers["content-type"] == "application/json"
    assert headers["user-agent"].startswith("auditcast/")
    first, _, last = headers["x-audit-events"].partition("-")
    digest = link_digest(
        stream=headers["x-audit-stream"],
        sequence=int(headers["x-audit-sequence"]),
        first_event=int(first),
        last_event=int(last),
        opened=int(headers["x-audit-opened"]),
        format=headers["x-audit-format"],
        body_sha256=batch.body_sha256,
        gap=headers["x-audit-gap"],
        previous_digest=headers["x-audit-previous-digest"],
    )
    assert digest == headers["x-audit-digest"] == batch.digest


def test_batches_arrive_signed_and_in_order_and_once(deliveries: Deliveries, receiver: Hostile) -> None:
    one = deliveries.destination(receiver.url("/ok"), headers={"Authorization": CREDENTIAL})
    two = deliveries.destination(receiver.url("/ok", "127.0.0.1"))
    with deliveries.deliverer() as worker:
        sent = {name: deliveries.batches(name, 5) for name in (one, two)}
        until(lambda: len(receiver.requests) == 10, "ten deliveries")
    assert CREDENTIAL not in worker.log.read_text()
    for name, batches in sent.items():
        got = _got(receiver, name)
        assert _ids(got) == [batch.id for batch in batches]
        for request, batch in zip(got, batches, strict=True):
            _verify(request, batch, deliveries.secrets[name])
    assert {request.headers.get("authorization") for request in _got(receiver, one)} == {CREDENTIAL}
    # What was acknowledged was committed: a successor begins behind it.
    with deliveries.deliverer():
        last = deliveries.batches(one, 1)
        until(lambda: len(receiver.requests) > 10, "one more delivery")
    assert _ids(receiver.requests[10:]) == [last[0].id]
    assert deliveries.letters() == {}


def test_what_fails_becomes_a_dead_letter_and_holds_up_nobody(deliveries: Deliveries, receiver: Hostile) -> None:
    with closed_port() as nobody, Hostile(trustme.CA()) as stranger:
        urls = {
            "redirected": receiver.url("/redirect"),
            "status-503": receiver.url("/503"),
            "answer-cut": receiver.url("/reset"),
            "answer-timeout": receiver.url("/drip"),
            "first-byte-timeout": receiver.url("/silent?token=hush"),
            "certificate-refused": stranger.url("/ok"),
            "connect-failed": f"https://localhost:{nobody}/",
            "destination-invalid": f"http://localhost:{receiver.port}/ok",
        }
        names = {reason: deliveries.destination(url) for reason, url in urls.items()}
        names["cannot-unseal"] = deliveries.destination(receiver.url("/ok"), sealer=Sealer([new_key()]))
        names["destination-unknown"] = "dst_nobody"
        good = deliveries.destination(receiver.url("/ok"))
        sent = {reason: deliveries.batches(name, 2)[-1] for reason, name in names.items()}
        deliveries.append(deliveries.topics.batches, good, b"no batch")
        deliveries.append(deliveries.topics.batches, good, None)
        fine = deliveries.batches(good, 3)
        bounds = {"FIRST_BYTE": "500", "WHOLE": "1000"}
        with deliveries.deliverer(
            **{f"AUDITCAST_DELIVERY_{name}_MS": value for name, value in bounds.items()},
            AUDITCAST_REVISION_WAIT_MS="500",
            AUDITCAST_DELIVERY_MAX_AGE_MS="8000",
        ) as worker:
            until(lambda: len(deliveries.letters()) == 2 * len(names) + 2, "the dead letters")
    letters = deliveries.letters()
    for reason, batch in sent.items():
        letter = letters[batch.id]
        assert letter.reason == reason
        assert letter.value == encode(batch)
        assert letter.destination == batch.destination
    assert [letter.reason for letter in letters.values()].count(Reason.UNREADABLE) == 2
    assert "AUDITCAST_SEALING_KEYS" in letters[sent["cannot-unseal"].id].detail
    assert letters[sent["status-503"].id].attempts[0].answer == "nope"
    assert _ids(_got(receiver, good)) == [batch.id for batch in fine]
    assert "hush" not in worker.log.read_text() + str(letters)


def test_an_answer_that_repeats_the_request_reveals_nothing(deliveries: Deliveries, receiver: Hostile) -> None:
    name = deliveries.destination(receiver.url("/echo"), headers={"Authorization": CREDENTIAL})
    (batch,) = deliveries.batches(name, 1)
    with deliveries.deliverer():
        until(lambda: bool(deliveries.letters()), "the dead letter")
    answer = deliveries.letters()[batch.id].attempts[0].answer
    assert "authorization" in answer
    assert "correct-horse" not in answer


def test_private_networks_need_the_operators_leave(deliveries: Deliveries, receiver: Hostile) -> None:
    by_name, by_number = (deliveries.destination(receiver.url("/ok", host)) for host in ("localhost", "127.0.0.1"))
    for name in (by_name, by_number):
        deliveries.batches(name, 1)
    with deliveries.deliverer(AUDITCAST_ALLOWED_NETWORKS="10.0.0.0/8"):
        until(lambda: len(deliveries.letters()) == 2, "the dead letters")
    reasons = {letter.destination: letter.reason for letter in deliveries.letters().values()}
    assert reasons == {by_name: Reason.ADDRESS_FORBIDDEN, by_number: Reason.DESTINATION_INVALID}
    assert receiver.connections == 0


def test_a_test_delivery_has_a_result_and_no_place_in_the_chain(deliveries: Deliveries, receiver: Hostile) -> None:
    good, bad = (deliveries.destination(receiver.url(path)) for path in ("/ok", "/500"))
    tests = {name: deliveries.test(name) for name in (good, bad)}
    with deliveries.deliverer():
        until(lambda: len(deliveries.results()) == 2, "the results")
    results = deliveries.results()
    assert results[tests[good].id].delivered
    assert results[tests[good].id].attempt.answer == "ok"
    assert not results[tests[bad].id].delivered
    assert results[tests[bad].id].attempt.status == 500
    (request,) = _got(receiver, good)
    standardwebhooks.Webhook(deliveries.secrets[good]).verify(request.body, request.headers)
    assert not [name for name in request.headers if name.startswith("x-audit-")]
    assert deliveries.letters() == {}


def test_a_repeated_batch_goes_out_once_and_a_forged_one_never(deliveries: Deliveries, receiver: Hostile) -> None:
    name = deliveries.destination(receiver.url("/ok"))
    (batch,) = deliveries.batches(name, 1)
    other = encode(batch).replace(batch.digest.encode(), batch.digest[::-1].encode())
    with deliveries.deliverer():
        for value in (encode(batch), other):
            deliveries.append(deliveries.topics.batches, name, value)
        deliveries.batches(name, 1)
        until(lambda: len(receiver.requests) == 2, "both batches")
    assert len(set(_ids(receiver.requests))) == 2
    assert [letter.reason for letter in deliveries.letters().values()] == [Reason.CONFLICT]


def test_a_killed_deliverer_loses_nothing(deliveries: Deliveries, receiver: Hostile) -> None:
    names = [deliveries.destination(receiver.url("/ok")) for _ in range(8)]
    sent = [batch.id for name in names for batch in deliveries.batches(name, 30)]
    with deliveries.deliverer() as worker:
        until(lambda: len(receiver.requests) > 60, "some deliveries")
        worker.kill()
        until(lambda: worker.code is not None, "its end")
    assert len(receiver.requests) < len(sent)
    with deliveries.deliverer():
        until(lambda: set(_ids(receiver.requests)) == set(sent), "all deliveries")
    _identical_and_in_order(receiver, names)
    assert deliveries.letters() == {}


def test_deliverers_share_the_work_and_hand_it_over(deliveries: Deliveries, receiver: Hostile) -> None:
    names = [deliveries.destination(receiver.url("/ok")) for _ in range(8)]
    sent: set[str] = set()

    def send(count: int) -> None:
        sent.update(batch.id for name in names for batch in deliveries.batches(name, count))

    def arrived() -> bool:
        return set(_ids(receiver.requests)) == sent

    with deliveries.deliverer() as second_to_end:
        with deliveries.deliverer() as first_to_end:
            until(lambda: _shares(first_to_end) and _shares(second_to_end), "both own partitions")
            send(20)
            until(arrived, "the batches of both")
            assert all("delivery.attempted" in worker.log.read_text() for worker in (first_to_end, second_to_end))
            send(20)
        until(arrived, "the batches that one left to the other")
    _identical_and_in_order(receiver, names)
    assert deliveries.letters() == {}


def test_a_request_that_hangs_neither_holds_up_the_end_nor_is_lost(deliveries: Deliveries, receiver: Hostile) -> None:
    name = deliveries.destination(receiver.url("/silent"))
    deliveries.batches(name, 1)
    patient = {f"AUDITCAST_DELIVERY_{bound}_MS": "600000" for bound in ("FIRST_BYTE", "WHOLE")}
    with deliveries.deliverer(**patient):
        until(lambda: len(receiver.requests) == 1, "the request")
    with deliveries.deliverer(**patient):
        until(lambda: len(receiver.requests) == 2, "the request, again")
    assert deliveries.letters() == {}


def _shares(worker: Worker) -> bool:
    """Whether the newest assignment in its log gives it some of the partitions, but not all."""
    found = re.findall(r"partitions\.assigned partitions=(\S+)", worker.log.read_text())
    return bool(found) and found[-1] != "-" and found[-1].count(",") + 1 < PARTITIONS


def _identical_and_in_order(receiver: Hostile, names: list[str]) -> None:
    """First deliveries in order, no sequence left out, repeats byte for byte the same."""
    for name in names:
        bodies: dict[int, bytes] = {}
        for request in _got(receiver, name):
            sequence = int(request.headers["x-audit-sequence"])
            assert sequence <= len(bodies) + 1
            assert bodies.setdefault(sequence, request.body) == request.body
