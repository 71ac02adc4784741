"""The network between workers and brokers, as a TCP proxy that can be cut. Everything stays on the loopback."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sequence
from enum import StrEnum
from typing import Self

from auditcast.kafka.local import Detour

CHUNK = 256 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Cut(StrEnum):
    """How a network fails: at once and plainly, silently, or in one direction."""

    REFUSED = "refused"
    """Connections are reset, new ones refused."""

    SILENT = "silent"
    """Nothing passes; what was on its way arrives when it is over, unless somebody gave up."""

    DEAF = "deaf"
    """Requests reach the brokers, their answers are lost."""


class Way:
    """Between one worker and one broker. Use as `async with`."""

    def __init__(self, detour: Detour) -> None:
        self._detour = detour
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._forth = asyncio.Event()
        self._back = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._refuse()

    async def cut(self, how: Cut) -> None:
        """From now on it fails, until `mend`."""
        self._back.clear()
        if how is not Cut.DEAF:
            self._forth.clear()
        if how is Cut.REFUSED:
            self._refuse()

    async def mend(self) -> None:
        """From now on it works. Answers that were held back from one who is deaf are not given late."""
        if self._forth.is_set() and not self._back.is_set():
            self._reset()
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, "127.0.0.1", self._detour.advertised, limit=CHUNK
            )
        self._forth.set()
        self._back.set()

    def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._reset()

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.ExitStack() as stack:
            self._hold(writer, stack)
            await self._forth.wait()
            try:
                there, onward = await asyncio.open_connection("127.0.0.1", self._detour.real, limit=CHUNK)
            except OSError:
                return  # the broker is down
            self._hold(onward, stack)
            passing = {
                asyncio.create_task(_passed(reader, onward, self._forth)),
                asyncio.create_task(_passed(there, writer, self._back)),
            }
            # Neither side of Kafka ever closes half a connection: the end of one direction is the end of both.
            _, rest = await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)

    def _hold(self, writer: asyncio.StreamWriter, stack: contextlib.ExitStack) -> None:
        """Have it end with the connection, and by a reset, as when a network or a machine fails."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._writers.add(writer)
        stack.callback(self._writers.discard, writer)
        stack.callback(writer.transport.abort)


class Line:
    """Between one worker and all brokers. Use as `async with`; `bootstrap` is what the worker is told."""

    def __init__(self, detours: Sequence[Detour]) -> None:
        self.bootstrap = ",".join(f"127.0.0.1:{detour.advertised}" for detour in detours)
        self.ways = [Way(detour) for detour in detours]
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        for way in self.ways:
            await self._stack.enter_async_context(way)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._stack.aclose()


async def _passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, may: asyncio.Event) -> None:
    """Pass on what comes, while it `may` pass, until an end closes."""
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await may.wait()
            writer.write(data)
            await writer.drain()
