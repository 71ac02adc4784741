"""The way out through the operator's own proxy, if one is set; no proxy of the environment is ever used.

Deliveries then go through `CONNECT` tunnels, TLS from end to end, and it is the proxy that looks names up and connects:
what addresses it may connect to is for it to guard. What can be seen from here is refused here all the same.
"""

import base64
import re
import socket
import time
from collections.abc import Sequence
from typing import Any

import httpx
from aiohttp.abc import ResolveResult

from auditcast.deliverers.guard import Found, Guard, NoSocket, results, vet
from auditcast.deliverers.outcomes import Failed, Reason
from auditcast.kafka.settings import Secret
from auditcast.schemas.errors import Misconfigured
from auditcast.schemas.networks import Network

ADMITTED_S = 60.0
MOST_ADMITTED = 10_000

_PROXY, _LOGIN = "AUDITCAST_EGRESS_PROXY", "AUDITCAST_EGRESS_PROXY_LOGIN"
_URL = re.compile(r"http://([A-Za-z0-9._-]+|\[[0-9a-fA-F:]+\]):(?P<port>[1-9][0-9]{0,4})/?")
_ONLY = "there is no way out but through the egress proxy"
_LITERAL = re.compile(r".*:.*|[0-9.]+")


def guard(proxy_url: str, login: Secret, allowed: Sequence[Network], lookup_s: float) -> Guard:
    """The guard of all connections: straight to the receivers if `proxy_url` is empty. Raises `Misconfigured`."""
    if not proxy_url:
        if login:
            raise Misconfigured(f"{_LOGIN} is set, and {_PROXY} is not: correct one of them")
        return Guard(allowed, lookup_s)
    parts = _URL.fullmatch(proxy_url)
    if parts is None or int(parts["port"]) > 65535:
        # What stands there is not repeated: most often it is wrong because it holds a password.
        raise Misconfigured(f"{_PROXY} must be http://host:port; a login goes to {_LOGIN}")
    headers = {}
    if login:
        if ":" not in login.reveal():
            raise Misconfigured(f"{_LOGIN} has no colon: write it as user:password")
        # Not as httpx's `auth`, which its transport hands on in a way that aiohttp is about to drop.
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(login.reveal().encode()).decode()}"
    return ProxyGuard(httpx.Proxy(proxy_url, headers=headers), allowed, lookup_s)


class ProxyGuard(Guard):
    """Makes sockets to the proxy and to nothing else."""

    proxy: httpx.Proxy

    def __init__(self, proxy: httpx.Proxy, allowed: Sequence[Network], lookup_s: float) -> None:
        super().__init__(allowed, lookup_s)
        self.proxy = proxy
        self._addresses = {proxy.url.host}
        self._admitted: dict[tuple[str, int], float] = {}

    def open_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for `address`, if it is the proxy's."""
        family, kind, protocol, _, place = address
        if place[0] not in self._addresses or place[1] != (self.proxy.url.port or 80):
            raise NoSocket(Reason.ADDRESS_FORBIDDEN, _ONLY)
        return socket.socket(family, kind, protocol)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of the proxy; those of others are for it to find."""
        if host != self.proxy.url.host:
            raise Failed(Reason.ADDRESS_FORBIDDEN, _ONLY)
        try:
            found = await self.look_up(host, family)
        except Failed as failure:
            raise Failed(Reason.PROXY_UNREACHABLE, str(failure)) from None
        self._addresses |= {address for _, address in found}
        return results(host, port, found)

    async def admit(self, url: httpx.URL) -> None:
        """Return unless `url` leads, as seen from here, where no delivery may go. A name that only the proxy knows may.

        The proxy looks the name up once more and may find something else; so this is no more than a precaution, and
        holds for ADMITTED_S: where there is no name server, each lookup takes as long as it may.
        """
        host, port = url.host, url.port or 443
        now = time.monotonic()
        if self._admitted.get((host, port), now) > now:
            return
        if _LITERAL.fullmatch(host):
            vet(host, port, self._allowed)
        else:
            self.vet_all(host, port, await self._seen(host))
        if len(self._admitted) >= MOST_ADMITTED:
            self._admitted.clear()
        self._admitted[host, port] = now + ADMITTED_S

    async def _seen(self, host: str) -> Found:
        try:
            return await self.look_up(host)
        except Failed:
            return []
