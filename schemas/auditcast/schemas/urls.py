"""The URL of a destination, brought into one form that every parser reads alike.

Parsers disagree about odd URLs (`https://0x7f.1`, `https://a@b\\@c`, full-width digits), and what one vets another may
not connect to. So only a plain form passes: https, one host, a port or none, a path, a query; visible ASCII throughout.
"""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import idna

from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.networks import Network, forbidden, forbidden_port

MAX_URL = 2048
MAX_HOST = 253

_PARTS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<place>[^/?]*)(?P<path>[^?]*)(?P<query>\?.*)?", re.IGNORECASE)
_PLACE = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?P<port>:[0-9]*)?")
# RFC 3986's characters of a path or query; the percent sign only as an escape.
_REST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
_DOTS = re.compile(r"/(?:\.|%2e){1,2}(?=/|$)", re.IGNORECASE)
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")

_PRIVATE_NAMES = ("localhost", "local", "internal", "home.arpa")
"""Names that never lead to a public address."""


def normal_url(text: str, allowed: Sequence[Network] = ()) -> str:
    """`text` in its one form (lower-case ASCII host, no `:443`, a path); raises `InvalidDestination`.

    `allowed` are the operator's networks. No name is resolved: the deliverer vets the address that it connects to.
    """
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in text):
        raise _invalid("holds a space, a line break, a backslash or a control character: write it without")
    if "#" in text:
        raise _invalid("holds a fragment (#…), which is never sent: leave it out")
    parts = _PARTS.fullmatch(text)
    if parts is None or parts["scheme"].lower() != "https":
        raise _invalid("must begin with https:// and a host, as in https://siem.example.com/audit")
    if "@" in parts["place"]:
        raise _invalid("holds a user name or password: send credentials in an Authorization header instead")
    place = _PLACE.fullmatch(parts["place"])
    if place is None:
        raise _invalid("has no readable host and port: write https://host or https://host:port")
    path, query = parts["path"] or "/", parts["query"] or ""
    if query == "?":
        query = ""  # some parsers keep a lone question mark, some don't
    if not _REST.fullmatch(path + query):
        raise _invalid("has a character in its path or query that must be written as a percent escape, as in %20")
    if _DOTS.search(path):
        raise _invalid("has a path with . or .. in it: write the path that is meant")
    url = f"https://{_host(place['host'], allowed)}{_port(place['port'])}{path}{query}"
    if len(url) > MAX_URL:
        raise _invalid(f"has {len(url)} characters, at most {MAX_URL} are allowed")
    return url


def origin_of(url: str) -> str:
    """What may be seen of `url`, which has its one form, if the rest is a credential: `https://host` or with a port."""
    return "/".join(url.split("/", 3)[:3])


def _host(text: str, allowed: Sequence[Network]) -> str:
    if text.startswith("["):
        return f"[{_ipv6(text[1:-1], allowed)}]"
    host = _name(text)
    if _ENDS_IN_NUMBER.fullmatch(host):
        _vet(_ipv4(host), allowed)
    elif not allowed and any(f".{host}".endswith(f".{name}") for name in _PRIVATE_NAMES):
        raise _invalid(
            f"leads to {host}, which is no public name: the operator can allow private networks"
            " with AUDITCAST_ALLOWED_NETWORKS"
        )
    return host


def _name(text: str) -> str:
    """A host name as DNS has it, `xn--…` for letters beyond ASCII."""
    try:
        # UTS 46 maps what looks alike (full-width letters and digits, other dots); the check of labels follows it.
        host = idna.encode(text, uts46=True, std3_rules=True).decode().lower().removesuffix(".")
    except idna.IDNAError:
        host = ""
    if not host:
        raise _invalid("has no valid host name: write it as in https://siem.example.com/audit")
    if len(host) > MAX_HOST:
        raise _invalid(f"has a host of {len(host)} characters, at most {MAX_HOST} are allowed")
    return host


def _ipv4(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        # `0x7f.1`, `2130706433` and `0177.0.0.1` are 127.0.0.1 to some resolvers and a name to others.
        raise _invalid("has a host that looks like a number: write an IPv4 address as four decimal numbers") from None


def _ipv6(text: str, allowed: Sequence[Network]) -> str:
    try:
        address = IPv6Address(text)
    except ValueError:
        raise _invalid(
            "has brackets around what is no IPv6 address: write it as in https://[2606:4700::1111]/"
        ) from None
    if address.scope_id is not None:
        raise _invalid("has an IPv6 address with a zone (%…), which only this machine knows: leave the zone out")
    _vet(str(address), allowed)
    return str(address)


def _vet(address: str, allowed: Sequence[Network]) -> None:
    reason = forbidden(address, allowed)
    if reason is not None:
        raise _invalid(f"{reason}; the operator can allow private networks with AUDITCAST_ALLOWED_NETWORKS")


def _port(text: str | None) -> str:
    if text is None:
        return ""
    port = int(text[1:]) if 1 < len(text) <= 6 else 0
    if not 1 <= port <= 65535:
        raise _invalid("has a port that is no number from 1 to 65535")
    if port == 443:
        return ""
    service = forbidden_port(port)
    if service is not None:
        raise _invalid(f"has port {port}, {service}: use 443 or a port from 1024 on that serves HTTPS")
    return f":{port}"


def _invalid(problem: str) -> InvalidDestination:
    return InvalidDestination("url", problem)
