"""The egress guard: which addresses a connection may be made to, decided on the address that it really goes to.

Every connection gets its socket from `Guard.open_socket`, to literal addresses too, which no resolver ever sees: that
is the choke point. `Guard.resolve` only makes the refusal of a name complete and clear.
"""

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from auditcast.deliverers.outcomes import Failed, Reason
from auditcast.deliverers.places import Places
from auditcast.schemas.networks import Network, forbidden, forbidden_port

Found = list[tuple[int, str]]
"""Addresses of a name, each with its family."""

LOOKUPS = 32
"""Lookups at a time, each in a thread of its own: a name server that hangs must not stop the others' lookups."""

ADDRESSES = 32
"""How many of a name's addresses count: vetting takes 20 µs each, and an answer has room for thousands."""


def vet(address: str, port: int, allowed: Sequence[Network]) -> None:
    """Return if a delivery may go to `port` at `address`; else raise `Failed`, `ADDRESS_FORBIDDEN`."""
    reason = forbidden(address, allowed)
    if reason is not None:
        raise Failed(Reason.ADDRESS_FORBIDDEN, reason)
    service = forbidden_port(port)
    if service is not None:
        raise Failed(Reason.ADDRESS_FORBIDDEN, f"port {port} is {service}: deliveries go to 443, or above 1023")


class NoSocket(Failed, OSError):
    """`Failed`, for aiohttp's race between addresses, which takes any error but an `OSError` for its own fault."""


class Guard(AbstractResolver):
    """Resolves names, bounded in time, and makes sockets, for aiohttp's connector."""

    proxy: httpx.Proxy | None = None
    """What deliveries go through; see egress.py."""

    def __init__(self, allowed: Sequence[Network], lookup_s: float) -> None:
        self._allowed = allowed
        self._lookup_s = lookup_s
        self._lookups = Places(LOOKUPS)

    async def admit(self, url: httpx.URL) -> None:
        """Called before each request to `url`: nothing to do where every address is vetted as it is connected to."""

    def open_socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for `address`, one of getaddrinfo's tuples, if it is one that a delivery may go to."""
        family, kind, protocol, _, place = address
        try:
            vet(place[0], place[1], self._allowed)
        except Failed as failure:
            raise NoSocket(failure.reason, str(failure)) from None
        return socket.socket(family, kind, protocol)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of `host`, the first ADDRESSES of them; one that is forbidden poisons them all."""
        found = await self.look_up(host, family)
        self.vet_all(host, port, found)
        return results(host, port, found)

    def vet_all(self, host: str, port: int, found: Found) -> None:
        """Return if a delivery may go to all that was `found` of `host`; else raise `Failed`.

        Its text does not tell the address: customers see it, and may have asked for a name of ours to learn of it.
        """
        for _, address in found:
            if forbidden(address, self._allowed) is not None:
                raise Failed(
                    Reason.ADDRESS_FORBIDDEN,
                    f"{host} leads to an address that is not public: have its name lead to public addresses only",
                )
            vet(address, port, self._allowed)

    async def look_up(self, host: str, family: socket.AddressFamily = socket.AF_UNSPEC) -> Found:
        """What the system's resolver says, unvetted; raises `Failed`, saying whose fault it is."""
        try:
            async with self._lookups.one(host), asyncio.timeout(self._lookup_s):
                return (await _lookup(host, family))[:ADDRESSES]
        except TimeoutError:
            raise Failed(Reason.RESOLVER_FAILED, f"the name server did not answer for {host}") from None
        except socket.gaierror as error:
            if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA}:
                raise Failed(Reason.NAME_UNKNOWN, f"there is no host {host}") from None
            raise Failed(Reason.RESOLVER_FAILED, f"the lookup of {host} failed: {error.strerror}") from None
        except UnicodeError:
            raise Failed(Reason.NAME_UNKNOWN, f"{host} is no name of a host") from None

    async def close(self) -> None:
        """Nothing is held."""


def results(host: str, port: int, found: Found) -> list[ResolveResult]:
    """`found` as aiohttp's connector takes it."""
    return [
        ResolveResult(hostname=host, host=address, port=port, family=kind, proto=socket.IPPROTO_TCP, flags=0)
        for kind, address in found
    ]


async def _lookup(host: str, family: int) -> Found:
    """The addresses of `host`, from getaddrinfo.

    In a thread that may be left behind: nothing can stop a lookup, and it must not hold up the process's end.
    """
    answer: Future[Found] = Future()
    answer.set_running_or_notify_cancel()

    def look() -> None:
        try:
            found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
            answer.set_result([(kind, str(place[0])) for kind, _, _, _, place in found])
        except (OSError, UnicodeError) as error:
            answer.set_exception(error)

    threading.Thread(target=look, name="lookup", daemon=True).start()
    return await asyncio.wrap_future(answer)
