"""Which addresses and ports no delivery may go to, as explicit tables.

`ipaddress.is_global` does not know enough of them (it takes `::7f00:1`, `64:ff9b::7f00:1` and `fec0::1` for global).
The tables are data: the settings of a destination are checked against them early, for a good message, and the deliverer
checks the address that it really connects to.
"""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from auditcast.schemas.errors import Misconfigured

Network = IPv4Network | IPv6Network

_IPV4 = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "a private network",
    "100.64.0.0/10": "a carrier's private network",
    "127.0.0.0/8": "this host",
    "168.63.129.16/32": "a cloud's own service",  # public by its number, answered by the hypervisor of Azure
    "169.254.0.0/16": "link-local, where clouds keep their metadata",
    "172.16.0.0/12": "a private network",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "reserved for documentation",
    "192.88.99.0/24": "a relay from IPv6",
    "192.168.0.0/16": "a private network",
    "198.18.0.0/15": "reserved for benchmarks",
    "198.51.100.0/24": "reserved for documentation",
    "203.0.113.0/24": "reserved for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",  # broadcast among it
}

# In an IPv6 address that carries an IPv4 address, the latter may be any of the above: all such forms are refused.
_IPV6 = {
    "::1/128": "this host",
    "::ffff:0:0/96": "an IPv4 address in another form",
    "64:ff9b::/96": "a translation to IPv4",
    "64:ff9b:1::/48": "a translation to IPv4",
    "2001::/23": "reserved for protocols",  # Teredo, ORCHID and benchmarks among it
    "2001:db8::/32": "reserved for documentation",
    "2002::/16": "a tunnel to IPv4",
    "3fff::/20": "reserved for documentation",
    "fc00::/7": "a private network",
    "fe80::/10": "link-local",
    "fec0::/10": "a private network",
    "ff00::/8": "multicast",
    # Global unicast is 2000::/3; these are all that lies outside of it: `::7f00:1`, `100::1`, `5f00::1`, …
    "::/3": "not a public address",
    "4000::/2": "not a public address",
    "8000::/1": "not a public address",
}

FORBIDDEN: tuple[tuple[Network, str], ...] = tuple((ip_network(net), what) for net, what in (_IPV4 | _IPV6).items())
"""Each forbidden network and what it is; of several that hold an address, the first names it best."""

_ISATAP = (0x0000_5EFE, 0x0200_5EFE)
"""Before the IPv4 address in the lower half of an ISATAP address, which may lie in any network."""

_SERVICES = {
    2375: "Docker", 2376: "Docker", 2379: "etcd", 2380: "etcd", 3306: "MySQL", 5432: "PostgreSQL", 6379: "Redis",
    6443: "Kubernetes", 9092: "Kafka", 10250: "Kubernetes", 11211: "memcached", 27017: "MongoDB",
}  # fmt: skip
"""What an operator's own network holds most often beside receivers, some of it behind TLS."""


def forbidden(address: str, allowed: Sequence[Network] = ()) -> str | None:
    """Why no delivery may go to `address`, in one sentence; None if it may. `allowed` are the operator's exceptions."""
    try:
        ip = ip_address(address)
    except ValueError:
        return f"{address!r} is no IP address"
    if isinstance(ip, IPv6Address) and ip.scope_id is not None:
        return f"{ip} names a network interface of this host: leave out what begins with the percent sign"
    if any(ip in network for network in allowed):
        return None
    for network, what in FORBIDDEN:
        if ip in network:
            return f"{ip} lies in {network} ({what}): deliveries go only to public addresses"
    if _is_isatap(ip):
        return f"{ip} is a tunnel to IPv4 (ISATAP): deliveries go only to public addresses"
    return None


def forbidden_port(port: int) -> str | None:
    """Why no delivery may go to `port`, in half a sentence; None if it may. Allowed networks make no difference."""
    if port in _SERVICES:
        return f"the port of {_SERVICES[port]}"
    return "a system port" if port < 1024 and port != 443 else None


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The operator's exceptions, from AUDITCAST_ALLOWED_NETWORKS; raises `Misconfigured`."""
    found = []
    for text in texts:
        try:
            found.append(ip_network(text))
        except ValueError:
            raise Misconfigured(
                f"AUDITCAST_ALLOWED_NETWORKS: {text!r} is no network: write it as 10.1.0.0/16 or fd00:1::/64"
            ) from None
    return tuple(found)


def _is_isatap(ip: IPv4Address | IPv6Address) -> bool:
    return ip.version == 6 and (int(ip) >> 32) & 0xFFFF_FFFF in _ISATAP
