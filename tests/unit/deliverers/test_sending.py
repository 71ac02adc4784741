"""What goes out for a destination that wants more than the plain thing, seen from its receiver."""

import base64
import gzip
import hmac
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import standardwebhooks
import trustme
from msgspec.structs import replace

from auditcast.deliverers import attempts
from auditcast.deliverers.outcomes import Verdict
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch, Option
from auditcast.schemas.signing_keys import genuine
from tests.hostile import Hostile, Said
from tests.unit.deliverers.parcels import parcel
from tests.unit.deliverers.telling import Telling
from tests.unit.deliverers.world import BATCH, BODY, HALF, SEALER, SECRET, SIGNER, World

NEXT = "whsec_" + base64.b64encode(b"n" * 32).decode()
HOUR = 3_600_000


@pytest.fixture
async def world(ca: trustme.CA) -> AsyncIterator[World]:
    async with Hostile(ca) as receiver:
        made = World(ca, receiver)
        receiver.limit = len(BODY)
        yield made
        await made.connections.close()


async def test_the_destination_chooses_the_content_type(world: World) -> None:
    world.register("/ok", options=[Option("content_type", "batch")])
    await world.deliver()
    [request] = world.receiver.requests
    assert request.headers["content-type"].startswith("application/cloudevents-batch+json")


@pytest.mark.parametrize("in_place", [0, 10**6])
async def test_a_packed_body_is_the_same_each_time_and_the_chain_is_over_what_is_in_it(
    world: World, monkeypatch: pytest.MonkeyPatch, in_place: int
) -> None:
    monkeypatch.setattr(attempts, "IN_PLACE_BYTES", in_place)
    world.register("/ok", gzip=True)
    for sequence in (1, 2):
        await world.deliver(replace(BATCH, sequence=sequence))
    first, second = world.receiver.requests
    assert first.body == second.body == gzip.compress(BODY, attempts.GZIP_LEVEL, mtime=0)
    assert gzip.decompress(first.body) == BODY
    assert (first.headers["content-encoding"], first.headers["content-length"]) == ("gzip", str(len(first.body)))
    mac = hmac.digest(b"k" * 32, first.body, "sha256").hex()
    assert first.headers["x-webhook-signature"] == f"sha256={mac}"


async def test_a_part_that_is_packed_names_the_unpacked_body_of_its_batch(world: World) -> None:
    world.register("/says", gzip=True)
    world.receiver.says = lambda request: Said(200 if len(gzip.decompress(request.body)) <= HALF else 413)
    pieces = await world.deliver()
    assert [piece.outcome.verdict for piece in pieces] == [Verdict.SPLIT, Verdict.DELIVERED, Verdict.DELIVERED]
    whole, *parts = world.receiver.requests
    assert [part.headers["x-audit-part"] for part in parts] == [
        f"{first}-{last}; parent={BATCH.body_sha256}" for first, last in ((101, 104), (105, 108))
    ]
    assert b"[" + b",".join(gzip.decompress(part.body)[1:-1] for part in parts) + b"]" == gzip.decompress(whole.body)


async def test_nothing_is_packed_for_an_intake_that_takes_no_gzip(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Telling()
    plain.gzip = False
    monkeypatch.setitem(FORMATS, "telling/1", plain)
    world.register("/says", gzip=True)
    world.says()
    await world.deliver(replace(BATCH, format="telling/1"))
    [request] = world.receiver.requests
    assert request.body == BODY
    assert "content-encoding" not in request.headers


async def test_a_rotation_ends_by_itself(world: World) -> None:
    coming = SEALER.seal("dst_1/next-secret", NEXT)
    for ends in (HOUR, -HOUR):
        now = int(time.time() * 1000)
        world.register("/ok", rotation_ends=now + ends, next_secret=coming)
        await world.courier.deliver(parcel(replace(BATCH, sequence=2 + ends // HOUR)))
    during, after = world.receiver.requests
    for secret in (SECRET, NEXT):
        standardwebhooks.Webhook(secret).verify(during.body, during.headers)
    standardwebhooks.Webhook(NEXT).verify(after.body, after.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(after.body, after.headers)
    assert during.headers["x-webhook-signature-next"] == after.headers["x-webhook-signature"]
    assert "x-webhook-signature-next" not in after.headers


async def test_what_has_waited_for_a_place_tells_the_time_at_which_it_goes_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a receiver that is back takes it for an old one, as long as so many others hang."""
    world.register("/ok")
    original = world.connections.request

    async def long_after(*what: Any) -> object:
        monkeypatch.setattr(time, "time", lambda: 2e9)
        return await original(*what)

    world.connections.request = long_after  # type: ignore[method-assign,assignment]  # in its place
    [piece] = await world.courier.deliver(parcel(BATCH))
    assert world.receiver.requests[0].headers["webhook-timestamp"] == "2000000000"
    assert piece.outcome.attempt is not None
    assert piece.outcome.attempt.at == 2_000_000_000_000


async def test_the_platform_signs_if_the_destination_wants_it(world: World) -> None:
    world.register("/ok", asymmetric=True)
    await world.deliver()
    [request] = world.receiver.requests
    _, _, signature = request.headers["webhook-signature"].partition(" v1a,")
    content = f"dst_1-1.{request.headers['webhook-timestamp']}.".encode() + BODY
    assert genuine(SIGNER.public_keys[0], content, signature)


async def test_a_sealed_url_is_where_it_is_sent_and_nobody_reads_it_in_an_answer(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    secret = world.receiver.url("/says?key=hush-hush&to=T0ken77")
    origin = world.receiver.url("/")
    world.register("/", url=origin, sealed_url=SEALER.seal("dst_1/url", secret))
    world.receiver.says = lambda request: Said(500, f"no {request.path} here, T0ken77 hush-hush".encode())
    with caplog.at_level("DEBUG"):
        [piece] = await world.deliver()
    assert world.receiver.paths() == ["/says?key=hush-hush&to=T0ken77"]
    assert piece.outcome.attempt is not None
    assert piece.outcome.attempt.answer.startswith("no *** here, *** ***")
    assert not [record for record in caplog.records if "hush" in str(vars(record)) or "T0ken77" in str(vars(record))]


@pytest.mark.parametrize(
    ("location", "sealed", "told"),
    [
        ("/says/?key=s3cr3t-k", False, "it redirects to the same path at {origin}, with a slash at its end"),
        ("https://www.example.com/says?k=v", True, "it redirects to the same path at https://www.example.com"),
        ("https://u:pw@sso.example.com/login?next=/x", False, "it redirects to https://sso.example.com/login"),
        ("https://sso.example.com/login?next=/x", True, "it redirects to https://sso.example.com"),
        ("/other/s3cr3t-k/more", False, "it redirects to {origin}/other/***/more"),
        ("https://sso.example.com:port/", False, ""),
    ],
)
async def test_where_a_redirect_leads_is_told_without_what_may_be_a_credential(
    world: World, location: str, sealed: bool, told: str
) -> None:
    url, origin = world.receiver.url("/says?key=s3cr3t-k"), world.receiver.url("/").rstrip("/")
    named = {"url": origin, "sealed_url": SEALER.seal("dst_1/url", url)} if sealed else {"url": url}
    world.register("/", **named)
    world.receiver.says = lambda request: Said(301, b"", f"Location: {location}\r\n")
    [piece] = await world.deliver()
    assert piece.outcome.reason == "redirected"
    assert piece.outcome.detail == told.format(origin=origin)


def manifest(until: int) -> Batch:
    """As the processor makes them."""
    return replace(
        BATCH, id=f"dst_1-manifest-{until}", sequence=0, first_event=0, last_event=0, digest=f"{until}", body=b"[{}]",
        previous_digest=f"{until - 1}",
    )  # fmt: skip


async def test_manifests_go_out_beside_the_chain_of_batches(world: World) -> None:
    world.register("/ok")
    for each in (manifest(1), manifest(2), BATCH, manifest(2)):
        [piece] = await world.deliver(each)
        assert piece.outcome.verdict is Verdict.DELIVERED
    first, second, batch = world.receiver.requests  # that the second came twice was noticed
    told = {name: value for name, value in second.headers.items() if name.startswith("x-audit-")}
    assert told == {
        "x-audit-stream": "dst_1",
        "x-audit-manifest": "2",
        "x-audit-previous-manifest": "1",
        "x-audit-format": "cloudevents/1",
    }
    assert [each.headers["webhook-id"] for each in (first, second, batch)] == [
        "dst_1-manifest-1", "dst_1-manifest-2", "dst_1-1",
    ]  # fmt: skip
    # One that is too large is one event that is too large.
    world.register("/413")
    [piece] = await world.deliver(manifest(3))
    assert piece.outcome.verdict is Verdict.DEAD
