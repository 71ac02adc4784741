"""Receivers prove who they are, over a TLS worth the name, or get nothing; with the context that deliverers use."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from auditcast.deliverers import host
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.outcomes import Reason, detail_of, reason_of
from auditcast.deliverers.transport import Limits, Transport
from auditcast.schemas.errors import Misconfigured
from tests.hostile import Hostile

NOW = datetime.now(UTC)
LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def authorities(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


def _ours(authorities: str) -> ssl.SSLContext:
    return host.tls(authorities, "AUDITCAST_DELIVERY_CA_FILE")


def _transport(context: ssl.SSLContext) -> Transport:
    return Transport(context, Guard(LOOPBACK, 1), Limits(5, 5, 5, 5))


async def _failure(context: ssl.SSLContext, url: str) -> tuple[Reason | None, str]:
    transport = _transport(context)
    try:
        with pytest.raises(httpx.HTTPError) as failed:
            await transport.request("POST", httpx.URL(url), [], b"[]")
    finally:
        await transport.close()
    return reason_of(failed.value), detail_of(failed.value)


@asynccontextmanager
async def _serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    """A port at which `context` greets whoever comes; none of these tests gets further."""

    async def reached(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pytest.fail("the handshake succeeded")

    async with await asyncio.start_server(reached, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


def _issued(ca: trustme.CA, name: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
    """With a certificate of `ca` for `name`, valid from the first to the second of `days` from now."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first, last = (NOW + timedelta(day) for day in days)
    ca.issue_cert(name, not_before=first, not_after=last).configure_cert(context)
    return context


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    bare = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "self.pem").write_bytes(bare + certificate.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "self.pem")
    return context


CERTIFICATES: dict[str, tuple[Callable[[trustme.CA, Path], ssl.SSLContext], str, str]] = {
    "expired": (
        lambda ca, _: _issued(ca, "localhost", (-2, -1)),
        "localhost",
        "certificate has expired",
    ),
    "of the future": (
        lambda ca, _: _issued(ca, "localhost", (1, 2)),
        "localhost",
        "certificate is not yet valid",
    ),
    "self-signed": (lambda _, folder: _self_signed(folder), "localhost", "self-signed certificate"),
    "of nobody known": (
        lambda _, __: _issued(trustme.CA(), "localhost"),
        "localhost",
        "unable to get local issuer certificate",
    ),
    "for another name": (
        lambda ca, _: _issued(ca, "siem.example.com"),
        "localhost",
        "Hostname mismatch, certificate is not valid for 'localhost'.",
    ),
    "for a name below": (
        lambda ca, _: _issued(ca, "*.localhost"),
        "localhost",
        "Hostname mismatch, certificate is not valid for 'localhost'.",
    ),
    "for a name at an address": (
        lambda ca, _: _issued(ca, "localhost"),
        "127.0.0.1",
        "IP address mismatch, certificate is not valid for '127.0.0.1'.",
    ),
}


@pytest.mark.parametrize("what", CERTIFICATES)
async def test_a_certificate_that_proves_nothing_is_refused(
    ca: trustme.CA, authorities: str, tmp_path: Path, what: str
) -> None:
    made, name, said = CERTIFICATES[what]
    async with _serving(made(ca, tmp_path)) as port:
        assert await _failure(_ours(authorities), f"https://{name}:{port}/") == (Reason.CERTIFICATE_REFUSED, said)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
async def test_tls_of_the_past_is_refused(ca: trustme.CA, authorities: str) -> None:
    offered, ours = _issued(ca, "localhost"), _ours(authorities)
    offered.minimum_version = offered.maximum_version = ssl.TLSVersion.TLSv1_1
    for context in (offered, ours):
        context.set_ciphers("DEFAULT:@SECLEVEL=0")  # so that nothing but our least version stands in the way
    async with _serving(offered) as port:
        reason, _ = await _failure(ours, f"https://localhost:{port}/")
    assert reason in {Reason.TLS_FAILED, Reason.CONNECT_FAILED}  # asyncio's server hangs up without an alert


async def test_session_keys_are_written_nowhere(
    ca: trustme.CA, authorities: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = tmp_path / "keys.log"
    monkeypatch.setenv("SSLKEYLOGFILE", str(keys))
    transport = _transport(_ours(authorities))
    async with Hostile(ca) as receiver:
        assert (await transport.request("POST", httpx.URL(receiver.url("/ok")), [], b"[]")).status == 200
        await transport.close()
    assert not keys.exists()


def test_a_file_that_holds_no_authorities_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(Misconfigured, match="AUDITCAST_DELIVERY_CA_FILE"):
            _ours(str(tmp_path / name))
