"""An HTTPS endpoint as customers run them: it verifies each delivery before it answers."""

import ssl
import time
from collections.abc import Callable
from typing import Self

from aiohttp import web

from auditcast.console.demo.ledger import Ledger, Verdict

MAX_BODY_BYTES = 2_000_000


class Receiver:
    """One server on 127.0.0.1 with a path for each destination; the ledgers are its memory.

    Use as `async with Receiver(context) as receiver`; `note` is called with each ledger and verdict.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        note: Callable[[Ledger, Verdict], None] = lambda ledger, verdict: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledgers: dict[str, Ledger] = {}
        self._context = context
        self._note = note
        self._now = now
        self._port = 0
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_post("/{name}", self._receive)
        self._runner = web.AppRunner(app, access_log=None)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._context)
        await site.start()
        self._port = self._runner.addresses[0][1]
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

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        ledger = self.ledgers.get(request.match_info["name"])
        if ledger is None:
            return web.Response(status=503)
        headers = {name.lower(): value for name, value in request.headers.items()}
        verdict = ledger.receive(headers, body, self._now())
        self._note(ledger, verdict)
        return web.Response(status=verdict.status, text=verdict.fault or "")
