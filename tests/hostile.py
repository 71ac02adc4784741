"""An HTTPS receiver that misbehaves on purpose, over real TLS; the path of a request says how."""

import asyncio
import base64
import contextlib
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from typing import NoReturn, Self

import trustme
from msgspec import Struct

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Request(Struct):
    """One request as it came; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    method: str = "POST"


class Said(Struct):
    """An answer; `headers` are whole lines."""

    status: int
    body: bytes = b"ok"
    headers: str = ""


class Peer:
    """The other end of one connection, for a behaviour to misuse."""

    def __init__(self, server: "Hostile", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write `data` and let it go out."""
        self.writer.write(data)
        await self.writer.drain()
        self.server.sent += len(data)
        await asyncio.sleep(0)  # drain alone need not give way

    def reset(self) -> NoReturn:
        """Close so that the other end sees a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise ConnectionAbortedError


async def _ok(peer: Peer) -> None:
    await peer.send(OK)


async def _says(peer: Peer) -> None:
    said = peer.server.says(peer.server.requests[-1])
    head = f"HTTP/1.1 {said.status} X\r\n{said.headers}Content-Length: {len(said.body)}\r\n\r\n"
    await peer.send(head.encode() + said.body)


async def _status(peer: Peer, status: int, headers: str = "") -> None:
    await peer.send(f"HTTP/1.1 {status} X\r\n{headers}Content-Length: 4\r\n\r\nnope".encode())


async def _moody(peer: Peer) -> None:
    await (_status(peer, peer.server.mood) if peer.server.mood else _ok(peer))


async def _slow(peer: Peer) -> None:
    await asyncio.sleep(0.2)
    await peer.send(OK)


async def _redirect(peer: Peer) -> None:
    await _status(peer, 308, "Location: /ok\r\n")


async def _cookie(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")


async def _echo(peer: Peer) -> None:
    """Like some test services: answers with what it got, credentials and all, and with that in Base64."""
    headers = peer.server.requests[-1].headers
    packed = base64.b64encode(f"Authorization: {headers.get('authorization')}".encode())
    text = packed + b" " + repr(headers).encode()
    await peer.send(b"HTTP/1.1 500 X\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text))


async def _drip(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await peer.send(b".")
        await asyncio.sleep(0.02)


async def _drip_head(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"X-A: b\r\n")
        await asyncio.sleep(0.05)


async def _endless_headers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await peer.send(b"X-A: " + b"a" * 4000 + b"\r\n")


async def _long_line(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n")


async def _endless_body(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await peer.send(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")


async def _bomb(peer: Peer) -> None:
    packed = gzip.compress(bytes(500_000_000 // 10))
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed)


async def _no_http(peer: Peer) -> None:
    await peer.send(b"220 smtp ready\r\n")


async def _silent(_: Peer) -> None:
    await asyncio.sleep(3600)


async def _cut(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    peer.writer.close()


async def _reset_in_answer(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await asyncio.sleep(0.05)
    peer.reset()


async def _hang_up(peer: Peer) -> None:
    peer.writer.close()


async def _hang_up_in_head(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    peer.writer.close()


async def _reset_at_once(peer: Peer) -> None:
    peer.reset()


async def _old_http(peer: Peer) -> None:
    """HTTP/0.9: the page itself, and no head."""
    await peer.send(b"<html>welcome</html>\n")
    peer.writer.close()


async def _two_lengths(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok")


async def _bad_chunk(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nok\r\n")


async def _endless_chunk_line(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;")
    while True:
        await peer.send(b"a" * 0x10000)


async def _endless_trailers(peer: Peer) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
    while True:
        await peer.send(b"X-A: " + b"a" * 4000 + b"\r\n")


async def _interim(peer: Peer) -> None:
    """Some answers before the answer, as the standard allows."""
    await peer.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + OK)


async def _endless_interim(peer: Peer) -> None:
    while True:
        await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)


async def _surplus(peer: Peer) -> None:
    """The answer, and once that was taken, one after the other that nobody asked for."""
    await peer.send(OK)
    await asyncio.sleep(0.05)
    while True:
        await peer.send(OK * 1000)


async def _busy(peer: Peer) -> None:
    await _status(peer, 503, "Retry-After: 90\r\n")


async def _small(peer: Peer) -> None:
    """Takes bodies of at most so many bytes, and not those that it shall fail for."""
    request = peer.server.requests[-1]
    if len(request.body) > peer.server.limit:
        await _status(peer, 413)
    elif request.headers["webhook-id"] in peer.server.failing:
        await _status(peer, 500)
    else:
        await peer.send(OK)


async def _too_large_early(peer: Peer) -> None:
    """Says so, as web servers do, when it has seen the head; see `_read`."""
    await _status(peer, 413, "Connection: close\r\n")
    while await peer.reader.read(0x10000):
        pass


async def _stale(peer: Peer) -> None:
    """Answers, promises to keep the connection, and drops it when the next request comes."""
    await peer.send(OK)
    await peer.reader.read(1)
    peer.reset()


async def _early(peer: Peer) -> None:
    """Before the body was read; see `_read`."""
    await peer.send(OK)
    await asyncio.sleep(3600)


async def _unread(_: Peer) -> None:
    await asyncio.sleep(3600)


BEHAVIOURS: dict[str, Callable[[Peer], Awaitable[None]]] = {
    "/ok": _ok, "/redirect": _redirect, "/cookie": _cookie, "/echo": _echo, "/drip": _drip, "/drip-head": _drip_head,
    "/endless-headers": _endless_headers, "/long-line": _long_line, "/endless-body": _endless_body, "/bomb": _bomb,
    "/no-http": _no_http, "/silent": _silent, "/cut": _cut, "/reset": _reset_in_answer, "/hang-up": _hang_up,
    "/stale": _stale, "/early": _early, "/unread": _unread, "/hang-up-in-head": _hang_up_in_head,
    "/reset-at-once": _reset_at_once, "/old-http": _old_http, "/two-lengths": _two_lengths, "/bad-chunk": _bad_chunk,
    "/endless-chunk-line": _endless_chunk_line, "/endless-trailers": _endless_trailers, "/interim": _interim,
    "/endless-interim": _endless_interim, "/surplus": _surplus, "/busy": _busy, "/small": _small,
    "/413-early": _too_large_early, "/moody": _moody, "/slow": _slow, "/says": _says,
}  # fmt: skip
BODY_LEFT = {"/early", "/unread", "/413-early"}


class Hostile:
    """Serves on a port of its own on this host, under `name` and 127.0.0.1. `/500` answers that status, and so on.

    `async with` serves in the running loop, `with` in a thread. `sent` counts the bytes that it could send, `limit` is
    the largest body that `/small` takes, `failing` has the ids for which it answers 500, `mood` the status that
    `/moody` answers with, unless 0. `says` is what `/says` answers.
    """

    def __init__(self, ca: trustme.CA, name: str = "localhost", not_after: datetime | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.sent = 0
        self.limit = 0
        self.failing: set[str] = set()
        self.mood = 0
        self.says: Callable[[Request], Said] = lambda _: Said(200)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(name, "127.0.0.1", not_after=not_after).configure_cert(self._context)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    def url(self, path: str, host: str = "localhost") -> str:
        """The URL at which it behaves as `path` says."""
        return f"https://{host}:{self.port}{path}"

    def paths(self) -> list[str]:
        """The paths of all requests so far."""
        return [request.path for request in self.requests]

    async def idle(self) -> None:
        """Return once all connections so far have ended."""
        await asyncio.gather(*self._tasks)

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        self._manager = self._serving()
        await self._manager.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._manager.__aexit__(None, None, None)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.__aenter__(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.__aexit__(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._serve(Peer(self, reader, writer), self.connections))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, peer: Peer, connection: int) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(peer.writer):
            while True:
                request = await self._read(peer.reader, connection)
                self.requests.append(request)
                behaviour = BEHAVIOURS.get(request.path.partition("?")[0])
                if behaviour is None:
                    await _status(peer, int(request.path[1:]))
                else:
                    await behaviour(peer)

    @staticmethod
    async def _read(reader: asyncio.StreamReader, connection: int) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        length = 0 if path in BODY_LEFT else int(headers["content-length"])
        return Request(path, headers, await reader.readexactly(length), connection, method)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port on this host at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
