"""HTTPS receivers in a process of their own, whose conduct changes while they run, and what they got, and when.

Both doors, ports of 127.0.0.1 on which any number of destinations is reached, behave as they are told: a destination's
URL chooses the door.
"""

import asyncio
import multiprocessing
import socket
import ssl
import time
from enum import StrEnum
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any, NamedTuple, Self

import trustme

SLOW_S = 5.0
ANSWER = b"HTTP/1.1 %d Bench\r\nContent-Length: 0\r\n\r\n"

_spawn = multiprocessing.get_context("spawn")


class Conduct(StrEnum):
    """What a door does with who comes."""

    HEALTHY = "healthy"
    SILENT = "black hole: takes the request, never answers"
    DEAF = "black hole: never accepts a connection"
    SLOW = "answers after 5 s"
    FAILING = "answers 500"
    REFUSING = "refuses connections"


class Door(StrEnum):
    """The two of them: one that stays as it is, and one that is told how to behave."""

    WELL = "well"
    SICK = "sick"


class Receipt(NamedTuple):
    """A whole request as it came in: at which time, and what is answered to it (0: nothing)."""

    at: float
    destination: str
    sequence: int
    status: int


class Receivers:
    """The process, seen from the bench. Use as `with`; `folder` gets the certificates."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca_file)
        certificate = folder / "receiver.pem"
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
        self._accepted = _spawn.Value("q", 0, lock=False)
        self._pipe, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_serve, args=(theirs, str(certificate), self._accepted), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._ports: dict[Door, int] = self._pipe.recv()
        return self

    def __exit__(self, *failure: object) -> None:
        self._process.kill()
        self._process.join()

    @property
    def accepted(self) -> int:
        """How many requests were answered 200, since the beginning."""
        return int(self._accepted.value)

    def url(self, destination: str, door: Door) -> str:
        """Where a destination is reached."""
        return f"https://127.0.0.1:{self._ports[door]}/{destination}"

    def behave(self, door: Door, conduct: Conduct) -> None:
        """Change a door's conduct; returns once it has changed."""
        self._ask(door, conduct)

    def receipts(self) -> list[Receipt]:
        """All that came since the last call."""
        return [Receipt(*each) for each in self._ask(None, None)]

    def _ask(self, door: Door | None, conduct: Conduct | None) -> Any:
        self._pipe.send((door, conduct))
        return self._pipe.recv()


def _serve(pipe: Pipe, certificate: str, accepted: Any) -> None:
    """The process."""
    receipts: list[tuple[float, str, int, int]] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    async def main() -> None:
        doors = {door: _Door(context, receipts, accepted) for door in Door}
        for door in doors.values():
            await door.behave(Conduct.HEALTHY)
        asked = asyncio.Event()
        asyncio.get_running_loop().add_reader(pipe.fileno(), asked.set)
        pipe.send({name: door.port for name, door in doors.items()})
        while True:
            await asked.wait()
            asked.clear()
            if not pipe.poll():
                continue  # the loop saw it readable once more before it was read
            name, conduct = pipe.recv()
            if conduct is None:
                pipe.send(receipts)
                receipts.clear()
            else:
                await doors[name].behave(conduct)
                pipe.send(None)

    asyncio.run(main())


class _Door:
    """One port. What it does not answer stays unanswered, whatever it is told later."""

    def __init__(self, context: ssl.SSLContext, receipts: list[tuple[float, str, int, int]], accepted: Any) -> None:
        self.conduct = Conduct.REFUSING
        self.receipts = receipts
        self.accepted = accepted
        self.open: set[asyncio.Transport] = set()
        self._context = context
        self._server: asyncio.Server | None = None
        self._deaf: list[socket.socket] = []
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]

    async def behave(self, conduct: Conduct) -> None:
        """Change; the port stays the same."""
        self.conduct = conduct
        closed = conduct in (Conduct.REFUSING, Conduct.DEAF)
        if self._server is not None and closed:
            self._server.close()
            self._server = None
            for transport in list(self.open):
                transport.abort()
        for each in self._deaf:
            each.close()
        self._deaf = _deaf(self.port) if conduct is Conduct.DEAF else []
        if self._server is None and not closed:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Protocol(self), "127.0.0.1", self.port, ssl=self._context, backlog=4096
            )


class _Protocol(asyncio.Protocol):
    """The least that takes a POST; the path names the destination."""

    def __init__(self, door: _Door) -> None:
        self._door = door
        self._buffer = bytearray()
        self._need = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._door.open.add(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._door.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._buffer[:end])
            self._need = end + 4 + int(_header(self._head, b"content-length") or 0)
        if len(self._buffer) >= self._need:
            del self._buffer[: self._need]
            self._need = 0
            self._take()

    def _take(self) -> None:
        conduct = self._door.conduct
        status = {Conduct.FAILING: 500, Conduct.SILENT: 0}.get(conduct, 200)
        destination = self._head.partition(b" /")[2].partition(b" ")[0].decode()
        sequence = int(_header(self._head, b"x-audit-sequence") or 0)
        self._door.receipts.append((time.time(), destination, sequence, status))
        if status == 200:
            self._door.accepted.value += 1
        if conduct is Conduct.SLOW:
            asyncio.get_running_loop().call_later(SLOW_S, self._transport.write, ANSWER % status)
        elif status:
            self._transport.write(ANSWER % status)


def _header(head: bytes, name: bytes) -> bytes:
    return head.lower().partition(b"\r\n" + name + b": ")[2].partition(b"\r\n")[0]


def _deaf(port: int) -> list[socket.socket]:
    """A socket that listens and whose queue is full: the kernel drops whoever knocks."""
    listening = socket.create_server(("127.0.0.1", port), backlog=0)
    filling = []
    for _ in range(4):
        knocking = socket.socket()
        knocking.setblocking(False)  # noqa: FBT003  (the standard library's)
        knocking.connect_ex(("127.0.0.1", port))
        filling.append(knocking)
    return [listening, *filling]
