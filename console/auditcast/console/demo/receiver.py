"""An HTTPS endpoint as customers run them: it verifies each delivery before it answers, and has its bad days."""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import Self

from aiohttp import web

from auditcast.console.demo.ledger import Ledger, Verdict
from auditcast.console.demo.moods import WELL, Mood
from auditcast.kafka.local.process import free_ports

MAX_BODY_BYTES = 2_000_000


class Receiver:
    """One server on 127.0.0.1 with a path for each destination; the ledgers are its memory, `moods` its ailments.

    Use as `async with Receiver(context) as receiver`; `note` is called with each ledger and verdict.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        note: Callable[[Ledger, Verdict], None] = lambda ledger, verdict: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self.moods: dict[str, Mood] = {}
        self._context = context
        self._note = note
        self._now = now
        # Not one that the system gives to outgoing connections: while we are down, a client would reach itself there.
        [self._port] = free_ports(1)
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/{name}", self._receive)
        # A handler that hangs ends with its client, at the latest.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        self._site: web.TCPSite | None = None

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self.come_back()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._runner.cleanup()

    def url(self, name: str) -> str:
        """Where the destination called `name` is reached."""
        return f"https://127.0.0.1:{self._port}/{name}"

    def expect(self, name: str, destination: str, secret: str) -> Ledger:
        """Take deliveries at `url(name)` from now on; until then the answer is 503."""
        self.ledgers[name] = Ledger(destination, secret)
        return self.ledgers[name]

    async def go_down(self) -> None:
        """Nobody listens any more, and all connections end."""
        if self._site is not None and self._runner.server is not None:
            await self._site.stop()
            self._site = None
            for connection in self._runner.server.connections:
                connection.force_close()

    async def come_back(self) -> None:
        """Listen (again)."""
        if self._site is None:
            self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, ssl_context=self._context)
            await self._site.start()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        name = request.match_info["name"]
        ledger, mood = self.ledgers.get(name), self.moods.get(name, WELL)
        if ledger is None:
            return web.Response(status=503)
        if 0 < mood.most_bytes < len(body):
            return web.Response(status=413)
        answer = self._taken(ledger, request, body) if mood.takes else web.Response(status=500)
        await asyncio.sleep(mood.waits)
        if mood.resets and request.transport is not None:
            request.transport.abort()
        if mood.status:
            headers = {"Retry-After": mood.retry_after} if mood.retry_after else {}
            return web.Response(status=mood.status, headers=headers)
        return answer

    def _taken(self, ledger: Ledger, request: web.Request, body: bytes) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        verdict = ledger.receive(headers, body, self._now())
        self._note(ledger, verdict)
        return web.Response(status=verdict.status, text=verdict.fault or "")
