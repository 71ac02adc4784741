"""The receiver's ledger finds each thing that can go wrong; if it could not, demo and chaos would prove nothing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable

import pytest

from auditcast.console.demo.chains import Fault
from auditcast.console.demo.ledger import Ledger
from auditcast.schemas.chain import GENESIS, batch_id, link_digest
from auditcast.schemas.formats import FORMATS
from tests.bodies import numbered

DESTINATION, STREAM, NOW = "dst_1", "dst_1-0-00ff", 1_700_000_000
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
Delivery = tuple[dict[str, str], bytes]


def signed(headers: dict[str, str], body: bytes, *, now: int = NOW, key: bytes = KEY) -> Delivery:
    content = f"{headers['webhook-id']}.{now}.".encode() + body
    standard = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    fresh = {
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{standard}",
        "x-webhook-signature": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }
    return headers | fresh, body


def chain(*sizes: int) -> list[Delivery]:
    """Genuine deliveries of one stream, with batches of these sizes."""
    deliveries, previous, first = [], GENESIS, 1
    for sequence, size in enumerate(sizes, 1):
        events = [json.dumps({"id": f"aud_{number}"}).encode() for number in range(first, first + size)]
        body = numbered(events, first)
        last = first + size - 1
        digest = link_digest(
            stream=STREAM,
            sequence=sequence,
            first_event=first,
            last_event=last,
            opened=NOW * 1000,
            format="cloudevents/1",
            body_sha256=hashlib.sha256(body).hexdigest(),
            gap="-",
            previous_digest=previous,
        )
        headers = {
            "content-type": "application/json",
            "x-webhook-id": DESTINATION,
            "webhook-id": batch_id(STREAM, sequence),
            "x-audit-stream": STREAM,
            "x-audit-sequence": str(sequence),
            "x-audit-events": f"{first}-{last}",
            "x-audit-opened": str(NOW * 1000),
            "x-audit-format": "cloudevents/1",
            "x-audit-gap": "-",
            "x-audit-previous-digest": previous,
            "x-audit-digest": digest,
        }
        deliveries.append(signed(headers, body))
        previous, first = digest, last + 1
    return deliveries


def parts(delivery: Delivery, *ends: int) -> list[Delivery]:
    """A delivery in parts, each up to one of `ends`, with the headers of a deliverer."""
    headers, body = delivery
    kind = FORMATS["cloudevents/1"]
    first = begin = int(headers["x-audit-events"].split("-")[0])
    made = []
    for end in ends:
        part = {
            "webhook-id": f"{headers['webhook-id']}-{begin}-{end}",
            "x-audit-part": f"{begin}-{end}; parent={hashlib.sha256(body).hexdigest()}",
        }
        made.append(signed(headers | part, kind.pieces(body).body(begin - first, end - first)))
        begin = end + 1
    return made


def received(*deliveries: Delivery) -> Ledger:
    ledger = Ledger(DESTINATION, SECRET)
    for headers, body in deliveries:
        ledger.receive(headers, body, NOW)
    return ledger


def test_takes_what_is_genuine() -> None:
    ledger = received(*chain(3, 1, 2))
    assert (ledger.events, ledger.batches, ledger.missing, ledger.duplicates) == (6, 3, 0, 0)
    assert not ledger.faults


def test_notices_a_batch_that_never_came() -> None:
    first, _, third, fourth = chain(2, 2, 2, 2)
    ledger = received(first, third, fourth)
    assert ledger.missing == 1
    assert not ledger.wrong
    assert len(ledger.chains[STREAM].events[0]) == 6


def test_takes_a_batch_out_of_order_and_says_so() -> None:
    first, second, third = chain(2, 2, 2)
    ledger = received(first, third, second)
    assert (ledger.events, ledger.missing, ledger.chains[STREAM].sequence) == (6, 0, 3)
    assert ledger.faults == {Fault.OUT_OF_ORDER: 1}
    assert not ledger.wrong


def test_tells_an_identical_repetition_from_one_that_differs() -> None:
    (headers, body), other = chain(2, 2)
    later = signed(headers, body, now=NOW + 60)
    assert received((headers, body), later).duplicates == 1
    impostor = signed(headers | {"x-audit-gap": "1-2"}, body)
    assert received((headers, body), impostor).faults == {Fault.DIFFERS: 1}
    again = signed(headers | {"webhook-id": "other"}, body)
    assert received((headers, body), other, again).faults == {Fault.DIFFERS: 1}


def _altered_body(headers: dict[str, str], body: bytes) -> Delivery:
    return signed(headers, body.replace(b"aud_1", b"aud_9"))


def _swapped_events(headers: dict[str, str], body: bytes) -> Delivery:
    return signed(headers, json.dumps(json.loads(body)[::-1]).encode())


def _dropped_event(headers: dict[str, str], body: bytes) -> Delivery:
    return signed(headers, json.dumps(json.loads(body)[:-1]).encode())


@pytest.mark.parametrize("forge", [_altered_body, _swapped_events, _dropped_event])
def test_finds_a_body_that_is_not_the_one_in_the_chain(forge: Callable[..., Delivery]) -> None:
    ledger = received(forge(*chain(3)[0]))
    assert ledger.faults == {Fault.ALTERED: 1}
    assert ledger.events == 0


def test_finds_a_digest_that_covers_misnumbered_events() -> None:
    headers, body = chain(3)[0]
    body = body.replace(b'"%020d"' % 2, b'"%020d"' % 7)
    digest = link_digest(
        stream=STREAM,
        sequence=1,
        first_event=1,
        last_event=3,
        opened=NOW * 1000,
        format="cloudevents/1",
        body_sha256=hashlib.sha256(body).hexdigest(),
        gap="-",
        previous_digest=GENESIS,
    )
    assert received(signed(headers | {"x-audit-digest": digest}, body)).faults == {Fault.NUMBERING: 1}


def test_finds_a_chain_that_was_begun_anew() -> None:
    first, _ = chain(2, 2)
    headers, body = chain(1, 1)[1]  # another history's second batch
    assert received(first, (headers, body)).faults == {Fault.CHAIN: 1, Fault.NUMBERING: 1}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers, body: signed(headers, body, key=bytes(32)),
        lambda headers, body: signed(headers, body, now=NOW - 301),
        lambda headers, body: (headers | {"webhook-timestamp": str(NOW + 1)}, body),
        lambda headers, body: (headers | {"webhook-id": "other"}, body),
        lambda headers, body: (headers | {"x-webhook-signature": "sha256=" + "0" * 64}, body),
        lambda headers, body: (headers | {"webhook-signature": "v1,AAAA"}, body),
        lambda headers, body: (headers, body + b" "),
        lambda _, body: ({}, body),
    ],
)
def test_trusts_nothing_that_is_not_signed_twice_and_freshly(spoil: Callable[..., Delivery]) -> None:
    ledger = received(spoil(*chain(2)[0]))
    assert ledger.faults == {Fault.SIGNATURE: 1}
    assert ledger.batches == 0


def test_refuses_headers_that_do_not_make_a_chain() -> None:
    headers, body = chain(2)[0]
    for name, value in {
        "x-audit-sequence": "one",
        "x-audit-events": "1",
        "x-audit-gap": "",
        "x-webhook-id": "x",
    }.items():
        assert received(signed(headers | {name: value}, body)).faults == {Fault.MALFORMED: 1}


def test_counts_a_test_apart_from_the_chain() -> None:
    body = b"[]"
    headers = {"webhook-id": "test-1", "x-webhook-id": DESTINATION, "content-type": "application/json"}
    ledger = received(signed(headers, body))
    assert (ledger.tests, ledger.batches) == (1, 0)


def test_joins_parts_in_any_order_into_the_batch_of_the_chain() -> None:
    first, second, third = chain(2, 4, 1)
    one, two, three = parts(second, 4, 5, 6)
    ledger = received(first, one, three, third)
    assert (ledger.batches, ledger.events, ledger.missing) == (2, 3, 1)
    for headers, body in (two, two, one):
        assert ledger.receive(headers, body, NOW).status == 200
    assert (ledger.batches, ledger.events, ledger.missing, ledger.duplicates) == (3, 7, 0, 2)
    assert ledger.chains[STREAM].sequence == 3
    assert not ledger.wrong


def test_takes_a_batch_that_came_whole_in_parts_and_the_other_way_round() -> None:
    first, second = chain(4, 4)
    finer, coarser = parts(second, 5, 6, 8), parts(second, 6, 8)
    ledger = received(first, second, *finer, *coarser)
    assert (ledger.batches, ledger.duplicates) == (2, 5)
    ledger = received(first, *coarser[:1], *finer, second, *coarser)
    assert (ledger.batches, ledger.events, ledger.duplicates) == (2, 8, 3)
    ledger = received(second, *finer, first)  # ahead of a hole
    assert (ledger.batches, ledger.duplicates, ledger.missing) == (2, 3, 0)
    assert not ledger.wrong


def test_finds_parts_that_do_not_make_the_batch() -> None:
    (whole,) = chain(4)
    (one, two), (headers, body) = parts(whole, 2, 4), parts(whole, 2, 4)[1]
    changed = body.replace(b"aud_3", b"aud_9")
    assert received(one, signed(headers, changed)).faults == {Fault.ALTERED: 1}
    assert received(whole, signed(headers, changed)).faults == {Fault.DIFFERS: 1}
    assert received(one, two, *chain(3)).faults == {Fault.DIFFERS: 1}
    assert received(one, signed(headers, body[:-1] + b"," + body[1:])).faults == {Fault.NUMBERING: 1}
    for name, value in {
        "x-audit-part": "3-4",
        "x-audit-sequence": "2",
        "x-audit-events": "1-3",
        "webhook-id": whole[0]["webhook-id"],
    }.items():
        assert received(one, signed(headers | {name: value}, body)).faults == {Fault.MALFORMED: 1}
    # The chain's headers are those of the batch, whichever part they come with.
    other = signed(headers | {"x-audit-gap": "1-2"}, body)
    assert received(one, other).batches == 0
