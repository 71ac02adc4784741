"""A small proxy for tests: tunnels by CONNECT, or refuses to."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator


class Proxy:
    """Tunnels to where it is asked to, or to port `to` of this host, or answers `status`; `asked` holds the heads."""

    def __init__(self, to: int | None = None, status: int = 200) -> None:
        self.asked: list[str] = []
        self._to = to
        self._status = status

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its URL, while it serves in the running loop."""
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    @contextlib.contextmanager
    def in_a_thread(self) -> Iterator[str]:
        """Its URL, while it serves in a thread of its own."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        serving = self.serving()
        try:
            yield asyncio.run_coroutine_threadsafe(serving.__aenter__(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(f"HTTP/1.1 {self._status} X\r\n\r\n".encode())
        if self._status == 200:
            host, _, port = self.asked[-1].split()[1].rpartition(":")
            place = ("127.0.0.1", self._to) if self._to else (host, int(port))
            there, back = await asyncio.open_connection(*place)
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()
