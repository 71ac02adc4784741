"""Each way in which a receiver can fail has one name, found against a receiver that does it, over real TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest
import trustme

from auditcast.deliverers import transport
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.outcomes import Reason, detail_of, reason_of
from auditcast.deliverers.transport import Answer, Limits, Transport
from tests.hostile import Hostile, closed_port

LIMITS = Limits(connect=5, write=0.3, first_byte=0.3, whole=1.5)
LOOPBACK = (ip_network("127.0.0.0/8"),)
BODY = b"[" + b"1," * 24_000 + b"1]"
HUGE = bytes(20_000_000)  # more than the sockets of both ends hold


@pytest.fixture
async def hostile(ca: trustme.CA) -> AsyncIterator[Hostile]:
    async with Hostile(ca) as server:
        yield server


@pytest.fixture
async def connections(ca: trustme.CA) -> AsyncIterator[Connections]:
    made = _connections(ca)
    yield made
    await made.close()


def _connections(ca: trustme.CA | None, limit: int = 4, limits: Limits = LIMITS) -> Connections:
    context = ssl.create_default_context()
    if ca:
        ca.configure_trust(context)
    guard = Guard(LOOPBACK, 1)
    return Connections(lambda: Transport(context, guard, limits), limit)


async def _post(connections: Connections, url: str, body: bytes = BODY, destination: str = "dst") -> Answer:
    return await connections.request(
        destination, "POST", httpx.URL(url), lambda: [("Content-Type", "application/json")], body
    )


async def _failure(connections: Connections, url: str, body: bytes = BODY) -> Reason | None:
    with pytest.raises(Exception) as failed:  # noqa: PT011  (any; its name is what is tested)
        await _post(connections, url, body)
    assert "?" not in detail_of(failed.value)  # a query may hold a credential
    return reason_of(failed.value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/drip", Reason.ANSWER_TIMEOUT),
        ("/drip-head", Reason.ANSWER_TIMEOUT),
        ("/endless-headers", Reason.ANSWER_MALFORMED),
        ("/long-line", Reason.ANSWER_MALFORMED),
        ("/no-http", Reason.ANSWER_MALFORMED),
        ("/endless-body", Reason.ANSWER_TOO_LARGE),
        ("/silent", Reason.FIRST_BYTE_TIMEOUT),
        ("/cut", Reason.ANSWER_CUT),
        ("/reset", Reason.ANSWER_CUT),
        ("/hang-up", Reason.CONNECTION_CLOSED),
        ("/hang-up-in-head", Reason.CONNECTION_CLOSED),
        ("/reset-at-once", Reason.CONNECTION_LOST),
        ("/old-http", Reason.ANSWER_MALFORMED),
        ("/two-lengths", Reason.ANSWER_MALFORMED),
        ("/bad-chunk", Reason.ANSWER_MALFORMED),
        ("/endless-chunk-line", Reason.ANSWER_TOO_LARGE),
        ("/endless-trailers", Reason.ANSWER_CUT),
        ("/endless-interim", Reason.ANSWER_MALFORMED),
    ],
)
async def test_a_bad_answer_has_its_name(hostile: Hostile, connections: Connections, path: str, reason: Reason) -> None:
    assert await _failure(connections, hostile.url(path + "?token=hush")) == reason
    assert len(connections) == 0
    assert len(hostile.requests) == 1
    # What goes on without end is not taken for long; the sockets of both ends hold some MB.
    assert hostile.sent < 20_000_000


async def test_a_body_that_is_not_taken(hostile: Hostile, connections: Connections) -> None:
    assert await _failure(connections, hostile.url("/unread"), HUGE) == Reason.WRITE_TIMEOUT


async def test_a_success_before_the_body_was_read_is_none(hostile: Hostile, connections: Connections) -> None:
    assert await _failure(connections, hostile.url("/early"), HUGE) == Reason.ANSWERED_EARLY


async def test_redirects_are_answers_and_never_followed(hostile: Hostile, connections: Connections) -> None:
    answer = await _post(connections, hostile.url("/redirect"))
    assert answer.status == 308
    assert hostile.paths() == ["/redirect"]


async def test_a_packed_answer_stays_packed(hostile: Hostile, connections: Connections) -> None:
    answer = await _post(connections, hostile.url("/bomb"))
    assert (answer.status, answer.encoded) == (200, True)
    assert len(answer.body) <= transport.JUDGED_BYTES


async def test_answers_before_the_answer_are_allowed(hostile: Hostile, connections: Connections) -> None:
    for _ in range(3):
        assert (await _post(connections, hostile.url("/interim"))).body == b"ok"
    assert hostile.connections == 1


async def test_answers_that_nobody_asked_for_are_not_kept(hostile: Hostile, connections: Connections) -> None:
    answer = await _post(connections, hostile.url("/surplus"))
    assert answer.body == b"ok"
    # The receiver can tell that it was cut off: its sending comes to an end.
    async with asyncio.timeout(10):
        await hostile.idle()
    assert hostile.sent < 20_000_000
    assert (await _post(connections, hostile.url("/ok"))).status == 200
    assert hostile.connections == 2


async def test_the_receivers_wish_to_wait_is_handed_on(hostile: Hostile, connections: Connections) -> None:
    assert (await _post(connections, hostile.url("/busy"))).retry_after == "90"
    assert (await _post(connections, hostile.url("/500"))).retry_after is None


async def test_too_large_is_heard_though_the_body_was_not_read(hostile: Hostile, connections: Connections) -> None:
    assert (await _post(connections, hostile.url("/413-early"), HUGE)).status == 413


async def test_cookies_are_not_kept(hostile: Hostile, connections: Connections) -> None:
    await _post(connections, hostile.url("/cookie"))
    await _post(connections, hostile.url("/ok"))
    assert "cookie" not in hostile.requests[1].headers


async def test_proxies_of_the_environment_are_ignored(
    hostile: Hostile, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closed_port() as nobody:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{nobody}")
        assert (await _post(connections, hostile.url("/ok"))).status == 200


async def test_nobody_listens(connections: Connections) -> None:
    with closed_port() as port:
        assert await _failure(connections, f"https://localhost:{port}/?token=hush") == Reason.CONNECT_FAILED


async def test_an_unknown_authority(hostile: Hostile) -> None:
    assert await _failure(_connections(None), hostile.url("/ok")) == Reason.CERTIFICATE_REFUSED
    assert hostile.requests == []


async def test_a_certificate_for_another_name(ca: trustme.CA, connections: Connections) -> None:
    async with Hostile(ca, "siem.example.com") as other:
        assert await _failure(connections, other.url("/ok")) == Reason.CERTIFICATE_REFUSED


async def test_an_expired_certificate(ca: trustme.CA, connections: Connections) -> None:
    async with Hostile(ca, not_after=datetime(2020, 1, 1, tzinfo=UTC)) as old:
        with pytest.raises(Exception, match="expired") as failed:
            await _post(connections, old.url("/ok"))
    assert reason_of(failed.value) is Reason.CERTIFICATE_REFUSED


async def test_a_handshake_that_is_never_answered(ca: trustme.CA) -> None:
    connections = _connections(ca, limits=Limits(connect=0.2, write=5, first_byte=5, whole=5))
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await _failure(connections, f"https://localhost:{port}/") == Reason.CONNECT_TIMEOUT


async def test_no_tls(connections: Connections) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.write(b"HTTP/1.1 200 OK\r\n\r\n"), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await _failure(connections, f"https://localhost:{port}/") == Reason.TLS_FAILED


async def test_an_unknown_name(connections: Connections) -> None:
    # Without any name server at hand the lookup itself fails: that is not the customer's fault, and has another name.
    reasons = {Reason.NAME_UNKNOWN, Reason.RESOLVER_FAILED}
    assert await _failure(connections, "https://no-such-host.invalid/") in reasons


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_forbidden_addresses_are_not_connected_to(ca: trustme.CA, hostile: Hostile, host: str) -> None:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    guard = Guard((), 1)
    connections = Connections(lambda: Transport(context, guard, LIMITS), 1)
    assert await _failure(connections, hostile.url("/ok", host)) == Reason.ADDRESS_FORBIDDEN
    assert hostile.connections == 0


async def test_a_connection_is_kept(hostile: Hostile, connections: Connections) -> None:
    for _ in range(3):
        assert (await _post(connections, hostile.url("/ok"))).body == b"ok"
    assert hostile.connections == 1


async def test_a_connection_grown_stale_is_replaced_once(hostile: Hostile, connections: Connections) -> None:
    await _post(connections, hostile.url("/stale"))
    assert (await _post(connections, hostile.url("/ok"))).status == 200
    assert await _failure(connections, hostile.url("/hang-up")) == Reason.CONNECTION_CLOSED
    assert hostile.paths() == ["/stale", "/ok", "/hang-up", "/hang-up"]


async def test_open_connections_are_bounded(ca: trustme.CA, hostile: Hostile) -> None:
    connections = _connections(ca, limit=2, limits=Limits(5, 5, 5, 5))
    await asyncio.gather(*(_post(connections, hostile.url("/ok"), destination=str(n)) for n in range(10)))
    assert len(connections) == 2
    # Those that idle give way, so a further destination finds a place.
    assert (await _post(connections, hostile.url("/ok"), destination="late")).status == 200
    assert len(connections) == 2
    await connections.close()


async def test_receivers_that_hang_leave_places_to_the_others(ca: trustme.CA, hostile: Hostile) -> None:
    connections = _connections(ca, limit=2, limits=Limits(5, 5, 0.3, 5))
    url = hostile.url("/silent")
    known = [_post(connections, url, destination=name) for name in "ab"]
    assert all(isinstance(each, Exception) for each in await asyncio.gather(*known, return_exceptions=True))
    hanging = [asyncio.create_task(_post(connections, url, destination=name)) for name in "ab"]
    while len(hostile.paths()) < 3:  # noqa: ASYNC110  (what is awaited has no event)
        await asyncio.sleep(0)
    assert (await _post(connections, hostile.url("/ok"), destination="well")).status == 200
    assert not any(task.done() for task in hanging)
    await asyncio.gather(*hanging, return_exceptions=True)
    await connections.close()
