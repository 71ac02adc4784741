"""One connection to a destination, and a bound on how many are open: each takes about 0.3 MB, idle or not."""

import time
from collections import OrderedDict
from collections.abc import Callable

import httpx

from auditcast.deliverers.outcomes import Reason, reason_of
from auditcast.deliverers.places import Places
from auditcast.deliverers.request import Headers
from auditcast.deliverers.transport import Answer, Transport

MAX_AGE_S = 300.0
"""How long a connection is used: a destination's name may lead elsewhere by then, and its certificate have expired."""

_STALE = (Reason.CONNECTION_CLOSED, Reason.CONNECTION_LOST)


class Connections:
    """At most `limit` transports; those that idle are closed when others need their place, the longest idle first.

    Destinations never share one, so no receiver can meddle with another's answers. Those that hang cannot take all
    places either: however many there are, half of the places is left to those that answer.
    """

    def __init__(self, make: Callable[[], Transport], limit: int) -> None:
        self._make = make
        self._limit = limit
        self._busy = 0
        self._places = Places(limit)
        self._idle: OrderedDict[str, Transport] = OrderedDict()

    def __len__(self) -> int:
        return self._busy + len(self._idle)

    async def request(
        self, destination: str, method: str, url: httpx.URL, headers: Callable[[], Headers], body: bytes
    ) -> Answer:
        """`Transport.request` over the destination's connection, once there is a place for it.

        The headers are made then: they tell the time, and where thousands of receivers hang, a place may take minutes.
        """
        async with self._places.one(destination):
            self._busy += 1
            try:
                return await self._request(destination, method, url, headers, body)
            finally:
                self._busy -= 1

    async def certificate(self, destination: str, url: httpx.URL) -> bytes | None:
        """`Transport.certificate`, once there is a place for it."""
        async with self._places.one(destination):
            transport = self._make()
            self._busy += 1
            try:
                await self._make_room()
                return await transport.certificate(url)
            finally:
                self._busy -= 1
                await transport.close()

    async def close(self) -> None:
        """Close what idles."""
        while self._idle:
            await self._idle.popitem()[1].close()

    async def _request(
        self, destination: str, method: str, url: httpx.URL, headers: Callable[[], Headers], body: bytes
    ) -> Answer:
        while True:
            transport = await self._kept(destination) or self._make()
            await self._make_room()
            idled = transport.used
            try:
                answer = await transport.request(method, url, headers(), body)
            except BaseException as error:
                await transport.close()
                if idled and isinstance(error, Exception) and reason_of(error) in _STALE:
                    # The receiver closed the idle connection as we wrote, which says nothing about the delivery:
                    # send it again. This time the connection is new, so it happens once.
                    continue
                raise
            self._idle[destination] = transport
            return answer

    async def _make_room(self) -> None:
        while len(self) > self._limit:
            await self._idle.popitem(last=False)[1].close()

    async def _kept(self, destination: str) -> Transport | None:
        transport = self._idle.pop(destination, None)
        if transport is not None and time.monotonic() - transport.made >= MAX_AGE_S:
            await transport.close()
            return None
        return transport
