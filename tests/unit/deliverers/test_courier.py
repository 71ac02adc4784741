"""Delivering a batch, whole or in parts, to receivers over real TLS; a view of the destinations stands in for Kafka."""

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trustme
from msgspec.structs import replace

from auditcast.console.demo.ledger import Ledger
from auditcast.deliverers import courier
from auditcast.deliverers.courier import NOT_TRIED
from auditcast.deliverers.outcomes import Failed, Piece, Reason, Verdict
from auditcast.deliverers.parcels import Claim
from auditcast.schemas.chain import GENESIS, body_digest, digest_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Delivery, Option
from tests.bodies import numbered
from tests.hostile import Hostile, Request, Said
from tests.unit.deliverers.parcels import batch, parcel
from tests.unit.deliverers.telling import Telling
from tests.unit.deliverers.world import BATCH, BODY, EVENTS, FIRST, HALF, LAST, ONE, QUARTER, SECRET, TOLD, World


@pytest.fixture
async def world(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setitem(FORMATS, "telling/1", Telling())
    async with Hostile(ca) as receiver:
        made = World(ca, receiver)
        made.register("/small")
        receiver.limit = len(BODY)
        yield made
        await made.connections.close()


def ends(pieces: list[Piece]) -> list[tuple[int, int, Verdict]]:
    return [(piece.first_event, piece.last_event, piece.outcome.verdict) for piece in pieces]


def taken(world: World) -> list[Request]:
    return [request for request in world.receiver.requests if len(request.body) <= world.receiver.limit]


async def test_a_batch_goes_out_whole_and_once(world: World) -> None:
    [piece] = await world.deliver()
    assert ends([piece]) == [(0, 0, Verdict.DELIVERED)]
    assert piece.outcome.attempt is not None
    [request] = world.receiver.requests
    assert (request.headers["webhook-id"], request.body) == ("dst_1-1", BODY)
    assert not {"x-audit-part", "x-audit-replay"} & set(request.headers)
    # The processor wrote it twice.
    assert ends(await world.deliver()) == [(0, 0, Verdict.DELIVERED)]
    assert len(world.receiver.requests) == 1


@pytest.mark.parametrize(
    "copy",
    [
        Delivery(replay="run"),
        Delivery(first_event=FIRST, last_event=LAST - 1),
        Delivery(attempts=[], letter="dst_1-1", replay="run"),
    ],
)
async def test_a_copy_that_is_meant_goes_out_again(world: World, copy: Delivery) -> None:
    await world.deliver()
    await world.deliver(delivery=copy)
    assert world.receiver.requests[1].headers.get("x-audit-replay", "") == copy.replay
    assert ends(await world.deliver(replace(BATCH, digest="other"), copy))[0][2] is Verdict.DEAD


async def test_halves_of_halves_until_they_are_taken_in_order(world: World) -> None:
    world.receiver.limit = QUARTER
    assert ends(await world.deliver()) == [
        (0, 0, Verdict.SPLIT),
        (101, 104, Verdict.SPLIT),
        (101, 102, Verdict.DELIVERED),
        (103, 104, Verdict.DELIVERED),
        (105, 108, Verdict.SPLIT),
        (105, 106, Verdict.DELIVERED),
        (107, 108, Verdict.DELIVERED),
    ]
    parts = taken(world)
    assert [part.headers["webhook-id"] for part in parts] == [
        "dst_1-1-101-102", "dst_1-1-103-104", "dst_1-1-105-106", "dst_1-1-107-108",
    ]  # fmt: skip
    assert parts[1].headers["x-audit-part"] == f"103-104; parent={BATCH.body_sha256}"
    assert {part.headers["x-audit-events"] for part in parts} == {"101-108"}
    assert b"[" + b",".join(part.body[1:-1] for part in parts) + b"]" == BODY
    # All of it was taken, so that it is a repeat from now on.
    await world.deliver()
    assert len(taken(world)) == 4


def meanwhile(world: World, change: Callable[[], None]) -> None:
    """Have something change as soon as the receiver has taken a first quarter of a batch."""

    def answer(request: Request) -> Said:
        if len(request.body) > QUARTER:
            return Said(413)
        change()
        return Said(200)

    world.receiver.says = answer
    world.register("/says")


async def test_a_pause_holds_between_the_parts_of_a_batch(world: World) -> None:
    meanwhile(world, lambda: world.register("/says", number=2, paused=True))
    pieces = await world.deliver()
    assert [end for end in ends(pieces) if end[2] is not Verdict.SPLIT] == [
        (101, 102, Verdict.DELIVERED),
        (103, 104, Verdict.RETRY),
        (105, 108, Verdict.RETRY),
    ]
    assert {(piece.outcome.reason, piece.outcome.attempt) for piece in pieces[-2:]} == {("halted", None)}
    assert len(world.receiver.requests) == 3


async def test_later_parts_go_where_the_destination_leads_by_then(world: World) -> None:
    meanwhile(world, lambda: world.register("/ok", number=2))
    assert {end[2] for end in ends(await world.deliver())} == {Verdict.SPLIT, Verdict.DELIVERED}
    assert world.receiver.paths() == ["/says", "/says", "/says", "/ok", "/ok"]


async def test_no_more_parts_are_sent_once_the_batch_is_somebody_elses(world: World) -> None:
    claim = Claim("audit.batches", 0)
    meanwhile(world, lambda: setattr(claim, "live", False))
    await world.courier.deliver(parcel(BATCH, claim=claim))
    assert len(world.receiver.requests) == 3
    # Nor does it count as delivered, should it come back.
    await world.deliver()
    assert len(world.receiver.requests) == 10


@pytest.mark.parametrize(("name", "value"), [("content_type", "evil\r\nX-Evil: yes"), ("of_a_later_version", "x")])
async def test_options_that_the_batchs_format_does_not_have_end_no_process(world: World, name: str, value: str) -> None:
    world.register("/ok", options=[Option(name, value)])
    [piece] = await world.deliver()
    expected = (Verdict.DELIVERED, None) if name.startswith("of_") else (Verdict.DEAD, "destination-invalid")
    assert (piece.outcome.verdict, piece.outcome.reason) == expected
    assert not any("x-evil" in request.headers for request in world.receiver.requests)


async def test_a_single_event_that_is_too_large_stops_nobody_but_itself(world: World) -> None:
    large = [*EVENTS[:2], b'{"id":"103","data":"%s"}' % (b"x" * QUARTER), *EVENTS[3:]]
    body = numbered(large, FIRST)
    world.receiver.limit = QUARTER
    pieces = await world.deliver(replace(BATCH, body=body, body_sha256=body_digest(body)))
    assert [end for end in ends(pieces) if end[2] is not Verdict.SPLIT] == [
        (101, 102, Verdict.DELIVERED),
        (103, 103, Verdict.DEAD),
        (104, 104, Verdict.DELIVERED),
        (105, 106, Verdict.DELIVERED),
        (107, 108, Verdict.DELIVERED),
    ]
    dead = next(piece.outcome for piece in pieces if piece.outcome.verdict is Verdict.DEAD)
    assert dead.reason == "status-413"


async def test_a_part_that_fails_keeps_the_later_ones_behind_it(world: World) -> None:
    world.receiver.limit = QUARTER
    world.receiver.failing = {"dst_1-1-101-102"}
    pieces = await world.deliver()
    assert [end for end in ends(pieces) if end[2] is not Verdict.SPLIT] == [
        (101, 102, Verdict.RETRY),
        (103, 104, Verdict.RETRY),
        (105, 108, Verdict.RETRY),
    ]
    assert [(piece.outcome.attempt, piece.outcome.detail) for piece in pieces[-2:]] == [(None, NOT_TRIED)] * 2
    # The copy in a retry topic says which part it is; the receiver gets the very same one again.
    world.receiver.failing = set()
    [piece] = await world.deliver(delivery=Delivery(first_event=101, last_event=102))
    assert ends([piece]) == [(101, 102, Verdict.DELIVERED)]
    failed, again = taken(world)
    assert (failed.body, failed.headers["x-audit-part"]) == (again.body, again.headers["x-audit-part"])
    # With that the batch is not delivered.
    await world.deliver()
    assert len(taken(world)) == 6


async def test_a_refusal_that_is_not_about_size_is_that_of_all_parts(world: World) -> None:
    async def rebound(*_: object) -> None:
        raise Failed(Reason.ADDRESS_FORBIDDEN, "10.0.0.1 is private")

    world.receiver.limit = HALF
    original, calls = world.connections.request, iter((1, 2))

    async def request(*what: Any) -> object:
        return await (original if next(calls, None) == 1 else rebound)(*what)

    world.connections.request = request  # type: ignore[method-assign,assignment]  # in its place
    assert ends(await world.deliver()) == [(0, 0, Verdict.SPLIT), (101, 104, Verdict.DEAD), (105, 108, Verdict.DEAD)]


async def test_a_batch_that_is_not_what_it_says_is_not_split(world: World) -> None:
    world.receiver.limit = ONE
    assert ends(await world.deliver(replace(BATCH, body=b'["%s"]' % (b"x" * ONE)))) == [(0, 0, Verdict.DEAD)]
    [piece] = await world.deliver(delivery=Delivery(first_event=99, last_event=102))
    assert (piece.outcome.reason, piece.outcome.verdict) == ("unreadable", Verdict.DEAD)


async def test_what_was_not_taken_of_a_request_has_a_piece_of_its_own(world: World) -> None:
    world.register("/says")
    world.says(again=[[1, 2], [6, 6]], never=[[4, 4]], detail="two are late, one is odd; Bearer sesame")
    own, *shares = await world.deliver(TOLD)
    assert ends([own]) == [(0, 0, Verdict.PARTLY)]
    assert ends(shares) == [
        (101, 101, Verdict.DELIVERED), (102, 103, Verdict.RETRY), (104, 104, Verdict.DELIVERED),
        (105, 105, Verdict.DEAD), (106, 106, Verdict.DELIVERED), (107, 107, Verdict.RETRY),
        (108, 108, Verdict.DELIVERED),
    ]  # fmt: skip
    assert all(piece.share and piece.outcome.attempt == own.outcome.attempt for piece in shares)
    assert [piece.outcome.reason for piece in shares[:4]] == [None, "events-not-taken", None, "events-refused"]
    assert shares[3].outcome.detail == "two are late, one is odd; ***"
    # The batch was not delivered; of a copy for a part the positions are those in the part.
    world.says(again=[[0, 0]])
    pieces = await world.deliver(TOLD, delivery=Delivery(first_event=102, last_event=103))
    assert ends(pieces) == [(102, 103, Verdict.PARTLY), (102, 102, Verdict.RETRY), (103, 103, Verdict.DELIVERED)]
    world.says(never=[[0, 7]])
    assert ends(await world.deliver(TOLD)) == [(0, 0, Verdict.DEAD)]
    assert [request.headers["webhook-id"] for request in world.receiver.requests] == [
        "dst_1-1", "dst_1-1-102-103", "dst_1-1",
    ]  # fmt: skip


async def test_the_parts_behind_one_that_was_taken_partly_are_sent(world: World) -> None:
    world.register("/says")
    world.receiver.limit = HALF
    some, none = {"again": [[0, 1]]}, {"never": [[0, 3]]}
    world.says({"dst_1-1-101-104": some, "dst_1-1-105-108": none})
    assert ends(await world.deliver(TOLD)) == [
        (0, 0, Verdict.SPLIT),
        (101, 104, Verdict.PARTLY), (101, 102, Verdict.RETRY), (103, 104, Verdict.DELIVERED),
        (105, 108, Verdict.DEAD),
    ]  # fmt: skip
    world.says({"dst_1-1-101-104": none, "dst_1-1-105-108": {}})
    assert ends(await world.deliver(TOLD))[1:] == [(101, 104, Verdict.DEAD), (105, 108, Verdict.DELIVERED)]


async def test_what_was_not_looked_at_is_sent_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.register("/says")
    first = {"again": [[2, 7]], "never": [[1, 1]], "unread": 2}
    second = {"again": [[4, 5]], "never": [[3, 3]], "unread": 4}
    world.says({"dst_1-1": first, "dst_1-1-103-108": second, "dst_1-1-107-108": {}})
    assert ends(await world.deliver(TOLD)) == [
        (0, 0, Verdict.PARTLY), (101, 101, Verdict.DELIVERED), (102, 102, Verdict.DEAD),
        (103, 108, Verdict.PARTLY), (103, 105, Verdict.DELIVERED), (106, 106, Verdict.DEAD),
        (107, 108, Verdict.DELIVERED),
    ]  # fmt: skip
    # A batch of which much is refused does not become as many dead letters at once.
    monkeypatch.setattr(courier, "MOST_SPANS", 1)
    assert ends(await world.deliver(TOLD))[-2:] == [(106, 106, Verdict.DEAD), (107, 108, Verdict.RETRY)]


async def test_a_410_names_the_revision_that_it_was_about(world: World) -> None:
    world.register("/410", number=3)
    [piece] = await world.deliver()
    assert piece.outcome.verdict is Verdict.GONE
    assert piece.outcome.revision is not None
    assert piece.outcome.revision.number == 3


async def test_a_410_means_nothing_for_a_newer_revision(world: World) -> None:
    world.register("/410")
    original = world.connections.request

    async def request(*what: Any) -> object:
        answer = await original(*what)
        world.register("/ok", number=2)
        return answer

    world.connections.request = request  # type: ignore[method-assign,assignment]  # in its place
    [piece] = await world.deliver()
    assert (piece.outcome.reason, piece.outcome.verdict) == ("status-410", Verdict.RETRY)
    assert ends(await world.deliver(delivery=Delivery(attempts=[], replay="run"))) == [(0, 0, Verdict.DELIVERED)]


async def test_the_receivers_wish_to_wait_is_kept(world: World) -> None:
    world.register("/busy")
    [piece] = await world.deliver()
    assert (piece.outcome.verdict, piece.outcome.retry_after) == (Verdict.RETRY, 90)


async def test_what_our_own_side_lacks_is_tried_again_without_an_attempt(world: World) -> None:
    for content, reason in (
        (replace(BATCH, destination="dst_2"), "destination-unknown"),
        (replace(BATCH, revision_number=9), "revision-unknown"),
        (replace(BATCH, format="cloudevents/9"), "format-unknown"),
    ):
        [piece] = await world.deliver(content, Delivery(first_event=FIRST, last_event=FIRST))
        assert ends([piece]) == [(FIRST, FIRST, Verdict.RETRY)]
        assert (piece.outcome.reason, piece.outcome.attempt) == (reason, None)
    [piece] = await world.deliver(None)
    assert (piece.outcome.reason, piece.outcome.verdict) == ("unreadable", Verdict.DEAD)


@pytest.mark.parametrize("path", ["/ok", "/410", "/413"])
async def test_a_test_is_shown_and_nothing_follows(world: World, path: str) -> None:
    world.register(path)
    [piece] = await world.deliver(replace(BATCH, stream="", sequence=0))
    assert ends([piece]) == [(0, 0, Verdict.SHOWN)]
    assert len(world.receiver.requests) == 1


async def test_an_answer_shows_no_credential_in_any_usual_form(world: World) -> None:
    world.register("/echo")
    [piece] = await world.deliver()
    assert piece.outcome.attempt is not None
    answer = piece.outcome.attempt.answer
    assert "authorization" in answer
    for form in ("sesame", base64.b64encode(b"Bearer sesame").decode()[2:-4], json.dumps(SECRET)[1:-1]):
        assert form not in answer


async def test_a_receiver_with_a_small_limit_can_prove_that_it_has_everything(world: World) -> None:
    chain, previous, first = [], GENESIS, 1
    for sequence, size in enumerate((5, 1, 8), 1):
        events = [b'{"id":"%d"}' % number for number in range(first, first + size)]
        body = numbered(events, first)
        each = replace(
            batch(sequence=sequence),
            first_event=first,
            last_event=first + size - 1,
            body=body,
            body_sha256=body_digest(body),
            previous_digest=previous,
        )
        chain.append(replace(each, digest=digest_of(each)))
        previous, first = chain[-1].digest, first + size
    world.receiver.limit = QUARTER
    world.receiver.failing = {"dst_1-3-9-10"}
    for each in chain:
        pieces = await world.deliver(each)
    world.receiver.failing = set()
    ledger = Ledger("dst_1", SECRET)
    again = [piece for piece in pieces if piece.outcome.verdict is Verdict.RETRY]
    for piece in again:
        await world.deliver(chain[-1], Delivery(first_event=piece.first_event, last_event=piece.last_event))
    for request in taken(world):
        ledger.receive(request.headers, request.body, time.time())
    assert (ledger.batches, ledger.events, ledger.missing) == (3, 14, 0)
    assert not ledger.faults
    assert ledger.chains["dst_1"].digest == previous
