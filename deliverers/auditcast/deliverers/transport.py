"""One destination's connection: a request, bounded in every direction, and the bounded answer.

httpx's request and response over aiohttp's connector, called without httpx's client, which costs more than the rest.
No redirect, no cookie, no decompression; no netrc and no proxy of the environment, of which nothing counts but the
system's authorities (SSL_CERT_FILE and SSL_CERT_DIR say where they are).
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from typing import cast

import aiohttp
import httpx
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import StreamWriter
from httpx_aiohttp import AiohttpTransport
from msgspec import Struct, field
from multidict import CIMultiDict

from auditcast.deliverers.bounded import bound
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.outcomes import Failed, Reason, reason_of

JUDGED_BYTES = 256 * 1024
"""How much of an answer a format may read to judge it: `_bulk` says up to 1.8 kB of each of 100 documents."""

MAX_ANSWER_BYTES = 1024 * 1024
"""How much of an answer is read at all. More is no answer to a delivery, and its connection is closed."""

MAX_HEAD_LINE = 8190
MAX_HEAD_LINES = 100

CHUNK_BYTES = 64 * 1024
"""A body is written in pieces of this size; most have only one."""

IDLE_S = 15.0
"""How long a connection is kept for the destination's next batch."""


class Limits(Struct, frozen=True):
    """The bounds of one request, in seconds."""

    connect: float
    write: float
    first_byte: float
    whole: float


class Answer(Struct, frozen=True):
    """A complete answer; `body` is its beginning as it came, at most JUDGED_BYTES; `encoded` if it is compressed.

    `retry_after` is that header's value, whatever it is, as are all `headers`.
    """

    status: int
    body: bytes
    encoded: bool
    retry_after: str | None = None
    headers: httpx.Headers = field(default_factory=httpx.Headers)


class Transport:
    """A connection to one destination, kept between its batches. One request at a time."""

    def __init__(self, context: ssl.SSLContext, guard: Guard, limits: Limits) -> None:
        self._limits = limits
        self._guard = guard
        self._context = context
        self._http = _http(context, guard, context)
        # aiohttp has no bound for writing (_Body has), and its `connect` covers the lookup and the handshake.
        self._extensions = {
            "timeout": {"pool": limits.connect, "connect": limits.connect, "read": limits.first_byte},
        }
        self.made = time.monotonic()
        self.used = False
        """Whether a request got its answer over this transport, so that the next may meet a connection grown stale."""

    async def request(self, method: str, url: httpx.URL, headers: list[tuple[str, str]], body: bytes) -> Answer:
        """Send `body`; whatever goes wrong is raised as it comes, for `outcomes.reason_of` to name."""
        payload = _Body(body, self._limits.write)
        request = httpx.Request(method, url, stream=payload, extensions=self._extensions)
        # The transport hands them on to aiohttp, which makes a CIMultiDict of httpx's own kind at a tenth of all costs.
        request.headers = cast("httpx.Headers", CIMultiDict(headers))
        try:
            async with asyncio.timeout(self._limits.whole):
                await self._guard.admit(url)
                response = await self._http.handle_async_request(request)
                try:
                    answer = await _read(response)
                finally:
                    await response.aclose()  # closes the connection, too, unless the answer was read to its end
        except TimeoutError:
            raise Failed(Reason.ANSWER_TIMEOUT, "the answer was not complete in time") from None
        if not payload.sent and answer.status < 300:
            raise Failed(Reason.ANSWERED_EARLY, f"the receiver answered {answer.status} before it had the whole body")
        self.used = True
        return answer

    async def certificate(self, url: httpx.URL) -> bytes | None:
        """The certificate that the receiver shows, in DER, verified by nobody; None if there is none to be had.

        Over a connection of its own, which goes the same way and ends before anything is sent.
        """
        sight = Sight()
        http = _http(self._context, self._guard, sight)
        try:
            async with asyncio.timeout(self._limits.connect):
                await self._guard.admit(url)
                response = await http.handle_async_request(
                    httpx.Request("HEAD", url.copy_with(raw_path=b"/"), extensions=self._extensions)
                )
                await response.aclose()
        except Exception as error:
            if reason_of(error) is None:
                raise
        finally:
            await http.aclose()
        return sight.certificate

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()


class Sight(aiohttp.Fingerprint):
    """For aiohttp a certificate's fingerprint, which none has: it is looked at, and the connection is closed."""

    certificate: bytes | None = None

    def __init__(self) -> None:
        super().__init__(bytes(32))

    def check(self, transport: asyncio.Transport) -> None:
        """Called by aiohttp when the handshake, in which nothing is verified, is done."""
        if self.certificate is None:
            self.certificate = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        raise aiohttp.ServerFingerprintMismatch(self.fingerprint, b"", "", 0)


def _http(context: ssl.SSLContext, guard: Guard, trust: ssl.SSLContext | aiohttp.Fingerprint) -> AiohttpTransport:
    """Connections by way of `guard` to whom `trust` lets pass."""
    connector = aiohttp.TCPConnector(
        limit=0,  # one request at a time is the lane's doing; connections.py bounds their number
        ssl=trust,
        resolver=guard,
        socket_factory=guard.open_socket,
        use_dns_cache=False,
        keepalive_timeout=IDLE_S,
    )
    bound(connector)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        max_line_size=MAX_HEAD_LINE,
        max_field_size=MAX_HEAD_LINE,
        max_headers=MAX_HEAD_LINES,
    )
    return AiohttpTransport(verify=context, trust_env=False, client=session, proxy=guard.proxy)


class _Body(aiohttp.BytesPayload, httpx.AsyncByteStream):
    """A request's body that bounds its own sending, which neither library does."""

    def __init__(self, body: bytes, limit_s: float) -> None:
        super().__init__(body)
        self._limit_s = limit_s
        self.sent = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the body; `sent` once the socket has taken it, but for CHUNK_BYTES or so on their way there."""
        if len(self._value) <= CHUNK_BYTES:
            await writer.write(self._value)
        else:
            await self._write_pieces(cast("StreamWriter", writer))
        self.sent = True

    async def _write_pieces(self, writer: StreamWriter) -> None:
        # asyncio's TLS takes one write of any size at once. Only a further one waits, and only beyond this limit.
        if writer.transport is not None:
            writer.transport.set_write_buffer_limits(high=CHUNK_BYTES)
        body = memoryview(self._value)
        try:
            async with asyncio.timeout(self._limit_s):
                for start in range(0, len(body), CHUNK_BYTES):
                    await writer.write(body[start : start + CHUNK_BYTES])
                    await writer.drain()
        except TimeoutError:
            raise Failed(Reason.WRITE_TIMEOUT, "the receiver did not take the body in time") from None

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise TypeError("aiohttp writes this body by itself")


async def _read(response: httpx.Response) -> Answer:
    """The answer, its raw bytes counted, kept only as far as a format may judge them."""
    kept = bytearray()
    size = 0
    async for chunk in response.stream:  # type: ignore[union-attr]  # this transport's streams are asynchronous
        size += len(chunk)
        if len(kept) < JUDGED_BYTES:
            kept += chunk[: JUDGED_BYTES - len(kept)]
        if size > MAX_ANSWER_BYTES:
            raise Failed(
                Reason.ANSWER_TOO_LARGE, f"the answer {response.status_code} has over {MAX_ANSWER_BYTES} bytes"
            )
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    return Answer(response.status_code, bytes(kept), encoded, response.headers.get("retry-after"), response.headers)
