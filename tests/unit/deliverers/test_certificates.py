"""A person who tries a destination out is told what is wrong with its certificate; nothing is sent to find that out."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from auditcast.deliverers import egress
from auditcast.deliverers.certificates import LONGEST_NAME, MOST_NAMES, explained
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.outcomes import Outcome, Verdict
from auditcast.deliverers.transport import Limits, Transport
from auditcast.kafka.settings import Secret
from tests.hostile import Hostile
from tests.tunnels import Proxy
from tests.unit.deliverers.world import BATCH, LOOPBACK, World

TEST = replace(BATCH, stream="", sequence=0)
NOW = datetime.now(UTC)
EXPIRED, NOT_YET, SELF_SIGNED, UNKNOWN, OTHER_NAME = 10, 9, 18, 20, 62
"""OpenSSL's numbers."""


def made(*names: str, days: tuple[int, int] = (-1, 1)) -> bytes:
    """A certificate for `names`, whatever they are, valid from the first to the second of `days` from now, in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + timedelta(days[0])).not_valid_after(NOW + timedelta(days[1]))
    if names:
        # As cryptography would not make them itself.
        told = x509.SubjectAlternativeName([x509.DNSName._init_without_validation(each) for each in names])
        builder = builder.add_extension(told, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_dates_are_told() -> None:
    yesterday, tomorrow = (NOW + timedelta(-1), NOW + timedelta(1))
    assert explained(EXPIRED, made(days=(-2, -1)), "h", NOW) == f"the certificate expired on {yesterday:%Y-%m-%d}"
    told = explained(NOT_YET, made(days=(1, 2)), "h", NOW)
    assert told == f"the certificate is not yet valid until {tomorrow:%Y-%m-%d}"
    # Those of the receiver's own are good.
    assert explained(EXPIRED, made(), "h", NOW) == "a certificate that the receiver's is signed with has expired"
    assert explained(NOT_YET, made(), "h", NOW) == "a certificate that the receiver's is signed with is not yet valid"


def test_names_are_told() -> None:
    told = explained(OTHER_NAME, made("a.example.com", "*.b.example.com"), "c.example.com", NOW)
    assert told == "the certificate is for a.example.com, *.b.example.com, not c.example.com"
    assert explained(OTHER_NAME, made(), "h", NOW) == "the certificate is for no name at all, not h"


def test_authorities_are_told() -> None:
    assert "an authority that is not known here" in explained(UNKNOWN, None, "h", NOW)
    assert "by itself" in explained(SELF_SIGNED, b"whatever", "h", NOW)


@pytest.mark.parametrize("code", [EXPIRED, NOT_YET, OTHER_NAME, 999, 0])
def test_what_cannot_be_read_or_has_no_words_is_left_to_others(code: int) -> None:
    for certificate in (None, b"", b"nonsense", made()[:-20]):
        assert explained(code, certificate, "h", NOW) == ""
    assert explained(999, made(), "h", NOW) == ""


def test_a_certificates_text_is_bounded_and_harmless() -> None:
    wild = ["\x1b[31m", "evil\r\nX: y", "<script>", "x" * 5000, *(f"n{number}.example.com" for number in range(3000))]
    told = explained(OTHER_NAME, made(*wild), "h", NOW)
    assert told.isprintable()
    assert "<" not in told
    assert "x" * (LONGEST_NAME + 1) not in told
    assert f", {len(wild) - MOST_NAMES} more names, not h" in told
    assert len(told) < (MOST_NAMES + 1) * (LONGEST_NAME + 10)


@pytest.fixture
async def world(ca: trustme.CA) -> AsyncIterator[World]:
    async with Hostile(ca) as receiver:
        world = World(ca, receiver)
        yield world
        await world.connections.close()


class Greeter:
    """Greets whoever comes by TLS, and takes down what is said then; `greeted` counts."""

    def __init__(self) -> None:
        self.port = 0
        self.greeted = 0
        self.said = b""
        self._tasks: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def greeting(self, leaf: trustme.LeafCert) -> AsyncIterator["Greeter"]:
        """With a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf.configure_cert(context)
        async with await asyncio.start_server(self._greet, "127.0.0.1", 0, ssl=context) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            await asyncio.gather(*self._tasks)

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.greeted += 1
        self._tasks.add(asyncio.create_task(self._hear(reader, writer)))

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.said += await reader.read()
        writer.close()


async def tried(world: World, port: int, host: str = "localhost", content: object = TEST) -> Outcome:
    world.register("/", url=f"https://{host}:{port}/hush?token=hush")
    [piece] = await world.deliver(content)  # type: ignore[arg-type]  # a batch
    assert piece.outcome.reason == "certificate-refused"
    return piece.outcome


LEAVES: dict[str, tuple[Callable[[trustme.CA], trustme.LeafCert], str, str]] = {
    "expired": (
        lambda ca: ca.issue_cert("localhost", not_before=NOW - timedelta(9), not_after=NOW - timedelta(2)),
        "localhost",
        f"the certificate expired on {NOW - timedelta(2):%Y-%m-%d}",
    ),
    "of the future": (
        lambda ca: ca.issue_cert("localhost", not_before=NOW + timedelta(2), not_after=NOW + timedelta(9)),
        "localhost",
        f"the certificate is not yet valid until {NOW + timedelta(2):%Y-%m-%d}",
    ),
    "for others": (
        lambda ca: ca.issue_cert("a.example.com", "b.example.com"),
        "localhost",
        "the certificate is for a.example.com, b.example.com, not localhost",
    ),
    "for a name at an address": (
        lambda ca: ca.issue_cert("localhost", "127.0.0.2"),
        "127.0.0.1",
        "the certificate is for localhost, 127.0.0.2, not 127.0.0.1",
    ),
    "of nobody known": (
        lambda _: trustme.CA().issue_cert("localhost"),
        "localhost",
        "the certificate is signed by an authority that is not known here, or the receiver leaves out those between",
    ),
}


@pytest.mark.parametrize("what", LEAVES)
async def test_a_test_says_what_is_wrong_and_sends_nothing(world: World, ca: trustme.CA, what: str) -> None:
    leaf, host, told = LEAVES[what]
    async with Greeter().greeting(leaf(ca)) as greeter:
        outcome = await tried(world, greeter.port, host)
    assert (outcome.verdict, outcome.detail) == (Verdict.SHOWN, told)
    assert outcome.attempt is not None
    assert outcome.attempt.detail == told
    assert (greeter.greeted, greeter.said) == (1, b"")


async def test_for_an_ordinary_delivery_nobody_looks(
    world: World, ca: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def looked(*_: object) -> None:
        pytest.fail("the certificate was looked at")

    monkeypatch.setattr(world.connections, "certificate", looked)
    async with Greeter().greeting(LEAVES["expired"][0](ca)) as greeter:
        outcome = await tried(world, greeter.port, content=BATCH)
    assert (outcome.verdict, outcome.detail) == (Verdict.RETRY, "certificate has expired")


async def test_the_look_goes_the_guarded_way(ca: trustme.CA) -> None:
    context = ssl.create_default_context()
    async with Greeter().greeting(ca.issue_cert("localhost")) as greeter:
        for guard, seen in ((Guard((), 1), False), (Guard(LOOPBACK, 1), True)):
            transport = Transport(context, guard, Limits(5, 5, 5, 5))
            shown = await transport.certificate(httpx.URL(f"https://localhost:{greeter.port}/hush"))
            assert (shown is not None) == seen
            await transport.close()
    assert (greeter.greeted, greeter.said) == (1, b"")


async def test_the_look_goes_through_the_egress_proxy(ca: trustme.CA) -> None:
    async with Greeter().greeting(ca.issue_cert("siem.example.com")) as greeter:
        proxy = Proxy(to=greeter.port)
        async with proxy.serving() as way:
            guard = egress.guard(way, Secret(""), (), 1)
            connections = Connections(lambda: Transport(ssl.create_default_context(), guard, Limits(5, 5, 5, 5)), 1)
            shown = await connections.certificate("dst_1", httpx.URL("https://siem.example.com/hush"))
    assert shown is not None
    assert explained(OTHER_NAME, shown, "h", NOW) == "the certificate is for siem.example.com, not h"
    assert [asked.split("\r\n")[0] for asked in proxy.asked] == ["CONNECT siem.example.com:443 HTTP/1.1"]
    assert greeter.said == b""


async def test_an_egress_proxy_is_not_asked_for_what_is_forbidden() -> None:
    proxy = Proxy()
    async with proxy.serving() as way:
        transport = Transport(ssl.create_default_context(), egress.guard(way, Secret(""), (), 1), Limits(5, 5, 5, 5))
        assert await transport.certificate(httpx.URL("https://10.0.0.1:8443/")) is None
        await transport.close()
    assert proxy.asked == []


async def test_who_never_greets_is_not_waited_for(ca: trustme.CA) -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        transport = Transport(ssl.create_default_context(), Guard(LOOPBACK, 1), Limits(0.2, 5, 5, 5))
        assert await transport.certificate(httpx.URL(f"https://localhost:{port}/")) is None
        await transport.close()
