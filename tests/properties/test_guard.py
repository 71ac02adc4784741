"""The guard against the registries: whatever IANA or Python's own library takes for special is refused."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from hypothesis import example, given
from hypothesis import strategies as st

from auditcast.deliverers.guard import vet
from auditcast.deliverers.outcomes import Failed

# IANA's special-purpose address registries of IPv4 and IPv6, those entries that are not globally reachable.
IANA: list[IPv4Network | IPv6Network] = [
    *map(IPv4Network, (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "240.0.0.0/4", "255.255.255.255/32",
    )),
    *map(IPv6Network, (
        "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32",
        "2001:2::/48", "2001:10::/28", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
    )),
]  # fmt: skip
EMBEDDING = [
    ("::ffff:0:0", 0), ("::", 0), ("::ffff:0:0:0", 0), ("64:ff9b::", 0), ("2002::", 80), ("::5efe:0:0", 0),
    ("2a00:1450::5efe:0:0", 0), ("2a00:1450::200:5efe:0:0", 0),
]  # fmt: skip
"""Forms of IPv6 addresses that carry an IPv4 address: the prefix, and how far to shift the address."""


def _refused(address: object, port: int = 443) -> bool:
    try:
        vet(str(address), port, ())
    except Failed:
        return True
    return False


@given(st.sampled_from(IANA).flatmap(lambda network: st.ip_addresses(network=network)))
def test_what_iana_reserves_is_refused(address: object) -> None:
    assert _refused(address)


@given(st.integers(0, 2**32 - 1), st.sampled_from(EMBEDDING))
@example(0x7F000001, EMBEDDING[0])
def test_an_address_within_an_address_is_refused(number: int, form: tuple[str, int]) -> None:
    prefix, shift = form
    assert _refused(IPv6Address(int(ip_address(prefix)) | number << shift))


@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_what_python_takes_for_special_is_refused(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert _refused(address)


@given(st.one_of(st.ip_addresses(v=4), st.integers(0x2A << 120, (0x2B << 120) - 1).map(IPv6Address)))
def test_what_nobody_reserves_is_not(address: IPv4Address | IPv6Address) -> None:
    special = any(address in network for network in IANA) or not address.is_global or address.is_multicast
    tunnel = address.version == 6 and int(address) >> 32 & 0xFFFF_FFFF in {0x5EFE, 0x0200_5EFE}
    azure = address == IPv4Address("168.63.129.16")
    assert _refused(address) == (special or tunnel or azure)
