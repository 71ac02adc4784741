"""The handshake before the first delivery: who has consented to what, and what goes out without consent (nothing)."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import trustme
from msgspec.structs import replace

from auditcast.deliverers.consent import ASKED_RATE, Consents, consent_in
from auditcast.deliverers.destinations import Target
from auditcast.deliverers.outcomes import Failed, Reason, Verdict
from auditcast.deliverers.signing import Keys
from auditcast.deliverers.transport import Answer
from auditcast.schemas.records import Delivery, Revision
from tests.hostile import Hostile, Request, Said
from tests.unit.deliverers.world import BATCH, BODY, HALF, World

ORIGIN = "atmos-pro.com"
"""Of the base URL that revisions have unless they say otherwise."""


def answered(headers: Mapping[str, str], status: int = 200) -> Answer:
    """`origin` and `rate` are what the receiver allows."""
    allowed = [(f"WebHook-Allowed-{name}".encode(), value.encode()) for name, value in headers.items()]
    return Answer(status, b"", encoded=False, headers=httpx.Headers(allowed))


def target(url: str = "https://a.example.com/x?y=1", destination: str = "dst_1") -> Target:
    revision = Revision(destination=destination, number=1, nonce="", state="active", changed_at=0, epoch="e")
    return Target(revision, revision.order, httpx.URL(url), [], Keys(b"k"), [], ORIGIN)


@pytest.mark.parametrize(
    ("headers", "apart_s"),
    [
        ({"origin": ORIGIN, "rate": "60"}, 1.0),
        ({"origin": ORIGIN, "rate": "120"}, 0.5),
        ({"origin": "*", "rate": "*"}, 0.0),
        ({"origin": "*", "rate": "007"}, 60 / 7),
        # Many receivers leave it out. They set no bound.
        ({"origin": ORIGIN}, 0.0),
        ({"origin": ORIGIN, "rate": "9" * 18}, 60 / int("9" * 18)),
    ],
)
def test_consent_is_in_the_headers(headers: dict[str, str], apart_s: float) -> None:
    for status in (200, 204, 405):  # a status means nothing, neither for nor against it
        assert consent_in(answered(headers, status), ORIGIN) == apart_s


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"rate": "120"},
        {"callback": "https://a.example.com/later"},
        *(
            {"origin": origin}
            for origin in (
                "atmos-pro.co", "atmos-pro.com.evil.example", "evil-atmos-pro.com", "https://atmos-pro.com", "*.com",
                "atmos-pro.com, evil.example", "Atmos-Pro.com", "atmos-pro.com/", "null", "**", "",
            )
        ),
        *(
            {"origin": ORIGIN, "rate": rate}
            for rate in ("0", "000", "-1", "1.5", "1e3", "", "many", "60, 120", "\uff19", "9" * 5000, "0x10", "60/s")
        ),
    ],
)  # fmt: skip
def test_anything_else_is_none(headers: dict[str, str]) -> None:
    with pytest.raises(Failed) as refused:
        consent_in(answered(headers), ORIGIN)
    assert refused.value.reason is Reason.CONSENT_REFUSED
    assert not any(value in str(refused.value) for value in headers.values() if len(value) > 3 and value not in ORIGIN)


def test_a_header_that_comes_twice_is_none() -> None:
    twice = httpx.Headers([("WebHook-Allowed-Origin", ORIGIN)] * 2)
    with pytest.raises(Failed):
        consent_in(Answer(200, b"", encoded=False, headers=twice), ORIGIN)


def test_consent_is_for_one_destination_under_one_url() -> None:
    consents = Consents("")
    consents.take(target(), answered({"origin": ORIGIN}))
    assert consents.holds(target())
    for other in (target("https://a.example.com/x?y=2"), target(destination="dst_2")):
        assert not consents.holds(other)
    with pytest.raises(Failed):
        consents.take(target(), answered({}))  # asked anew, it says no
    assert not consents.holds(target())


def test_requests_are_as_far_apart_as_the_receiver_wants() -> None:
    consents = Consents("events.example.com")
    assert consents.origin(target()) == "events.example.com"
    consents.take(target(), answered({"origin": "events.example.com", "rate": "60"}))
    assert consents.turn(target(), 100.0) == (0.0, 1.0)
    assert consents.turn(target(), 100.25) == (0.75, 1.0)  # which goes out at 101
    assert consents.turn(target(), 101.5) == (0.5, 1.0)
    assert consents.turn(target(), 110.0) == (0.0, 1.0)
    # Asked anew it allows more; the time until the next one is kept all the same.
    consents.take(target(), answered({"origin": "events.example.com"}))
    assert consents.turn(target(), 110.5) == (0.5, 0.0)
    assert consents.turn(target(), 111.0) == (0.0, 0.0)


class Asked(World):
    """A destination whose receiver is asked for its consent; `consent` are the headers of its answer."""

    def __init__(self, ca: trustme.CA, receiver: Hostile) -> None:
        super().__init__(ca, receiver)
        self.consent = f"WebHook-Allowed-Origin: {ORIGIN}\r\nWebHook-Allowed-Rate: *\r\n"
        self.status = 200
        receiver.says = self._answer
        receiver.limit = len(BODY)
        self.register("/says?token=hush", handshake=True)

    @property
    def methods(self) -> list[str]:
        """Of all requests so far."""
        return [request.method for request in self.receiver.requests]

    def _answer(self, request: Request) -> Said:
        if request.method == "OPTIONS":
            return Said(self.status, headers=self.consent)
        return Said(200 if len(request.body) <= self.receiver.limit else 413)


@pytest.fixture
async def asked(ca: trustme.CA) -> AsyncIterator[Asked]:
    async with Hostile(ca) as receiver:
        made = Asked(ca, receiver)
        yield made
        await made.connections.close()


@pytest.fixture
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long it would have been slept, for that is left out."""
    found, sleep = [], asyncio.sleep

    async def sleep_no_more(delay: float) -> None:
        if delay:
            found.append(delay)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", sleep_no_more)
    return found


async def test_consent_is_asked_for_once_before_the_first_delivery(asked: Asked) -> None:
    for sequence in (1, 2):
        await asked.deliver(replace(BATCH, sequence=sequence))
    question, *deliveries = asked.receiver.requests
    assert [each.method for each in (question, *deliveries)] == ["OPTIONS", "POST", "POST"]
    assert {each.path for each in asked.receiver.requests} == {"/says?token=hush"}
    assert (question.body, question.headers["webhook-request-rate"]) == (b"", str(ASKED_RATE))
    assert question.headers["authorization"] == "Bearer sesame"
    assert {each.headers["webhook-request-origin"] for each in asked.receiver.requests} == {ORIGIN}
    # An address to call back would be a consent that nobody waits for.
    assert not {"webhook-request-callback", "webhook-signature", "x-webhook-signature"} & set(question.headers)


async def test_nobody_is_asked_unless_the_destination_says_so(asked: Asked) -> None:
    asked.register("/ok")
    await asked.deliver()
    assert asked.methods == ["POST"]
    assert "webhook-request-origin" not in asked.receiver.requests[0].headers


@pytest.mark.parametrize("status", [200, 405, 410, 413, 429])
async def test_without_consent_nothing_is_sent_and_it_is_asked_again(asked: Asked, status: int) -> None:
    given, asked.consent, asked.status = asked.consent, "Retry-After: 90\r\n", status
    [piece] = await asked.deliver()
    outcome = piece.outcome
    assert (outcome.reason, outcome.verdict) == ("consent-refused", Verdict.RETRY)
    assert outcome.attempt is not None
    assert (outcome.attempt.status, outcome.attempt.error) == (status, "consent-refused")
    assert "without the header WebHook-Allowed-Origin" in outcome.attempt.detail
    assert outcome.retry_after == (90 if status == 429 else None)
    assert asked.methods == ["OPTIONS"]
    asked.consent = given
    [piece] = await asked.deliver(delivery=Delivery(attempts=[outcome.attempt]))
    assert piece.outcome.verdict is Verdict.DELIVERED
    assert asked.methods == ["OPTIONS", "OPTIONS", "POST"]


async def test_a_question_that_is_not_answered_fails_as_a_delivery_does(asked: Asked) -> None:
    asked.register("/hang-up", handshake=True)
    [piece] = await asked.deliver()
    assert (piece.outcome.reason, piece.outcome.verdict) == ("connection-closed", Verdict.RETRY)
    asked.register("/ok", handshake=True, url="https://10.0.0.1:8443/")
    [piece] = await asked.deliver()
    assert piece.outcome.reason == "destination-invalid"
    assert set(asked.methods) == {"OPTIONS"}


@pytest.mark.parametrize("base_url", ["https://x\r\ny", f"https://{'a' * 70_000}", "", "not a URL", "https://["])
async def test_who_has_no_name_asks_for_nothing_and_ends_no_process(asked: Asked, base_url: str) -> None:
    asked.register("/says", handshake=True, base_url=base_url)
    [piece] = await asked.deliver()
    assert (piece.outcome.reason, piece.outcome.verdict) == ("destination-invalid", Verdict.DEAD)
    assert not asked.methods
    asked.register("/ok", base_url=base_url)
    [piece] = await asked.deliver()
    assert piece.outcome.verdict is Verdict.DELIVERED


async def test_a_name_beyond_ascii_asks_as_name_servers_have_it(asked: Asked) -> None:
    asked.consent = "WebHook-Allowed-Origin: xn--mller-kva.example\r\n"
    asked.register("/says", handshake=True, base_url="https://müller.example/x")
    await asked.deliver()
    assert [each.headers["webhook-request-origin"] for each in asked.receiver.requests] == ["xn--mller-kva.example"] * 2


async def test_another_url_needs_another_consent_and_a_test_asks_anew(asked: Asked) -> None:
    await asked.deliver()
    asked.register("/says?token=other", number=2, handshake=True)
    await asked.deliver(replace(BATCH, sequence=2))
    assert asked.methods == ["OPTIONS", "POST"] * 2
    asked.consent = ""
    [piece] = await asked.deliver(replace(BATCH, stream="", sequence=0))
    assert (piece.outcome.reason, piece.outcome.verdict) == ("consent-refused", Verdict.SHOWN)
    assert asked.methods == [*["OPTIONS", "POST"] * 2, "OPTIONS"]


async def test_the_allowed_rate_is_kept_between_the_halves_of_a_batch_too(asked: Asked, rests: list[float]) -> None:
    asked.consent = f"WebHook-Allowed-Origin: {ORIGIN}\r\nWebHook-Allowed-Rate: 1\r\n"
    asked.receiver.limit = HALF
    pieces = await asked.deliver()
    assert [piece.outcome.verdict for piece in pieces] == [Verdict.SPLIT, Verdict.DELIVERED, Verdict.DELIVERED]
    assert {piece.outcome.apart_s for piece in pieces} == {60.0}
    assert [round(rest, -1) for rest in rests] == [60, 120]  # for the first of them does not really wait
