"""The guard against IANA's special-purpose registries: it refuses all that they do, and beyond that only what is named.

The registries lie in tests/fixtures, as IANA publishes them; each fixture says of when, and where to get a newer one.
"""

import csv
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from auditcast.deliverers.guard import vet
from auditcast.deliverers.outcomes import Failed
from auditcast.schemas.networks import Network

Address = IPv4Address | IPv6Address
FIXTURES = Path(__file__).parents[1] / "fixtures"

BEYOND = {
    # Registered as reachable, but nobody receives webhooks there, and what answers may be this network's own.
    "192.0.0.0/24": "protocol assignments, of which IANA lists a few addresses as reachable",
    "2001::/23": "the same for IPv6, with ORCHIDs and tunnels",
    "64:ff9b::/96": "a translation to IPv4, forbidden addresses among them",
    # Not in the registries, which list no multicast.
    "224.0.0.0/4": "multicast",
    "ff00::/8": "multicast",
    # In no registry at all.
    "168.63.129.16/32": "Azure's own service, on each of its hosts",
    **dict.fromkeys(("::/3", "4000::/2", "8000::/1"), "outside 2000::/3, from which alone addresses are given out"),
}
"""What the guard refuses beyond the registries, and why; ISATAP besides, which is no network."""


class Entry(Struct, frozen=True):
    """A block of a registry. Reachable is what IANA says is; not what it leaves open."""

    network: Network
    reachable: bool


def _registry(version: int) -> Iterator[Entry]:
    lines = (FIXTURES / f"iana-ipv{version}-special-registry.csv").read_text().splitlines(keepends=True)
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        for block in row["Address Block"].split(","):
            yield Entry(ip_network(block.split("[")[0].strip()), row["Globally Reachable"] == "True")


ENTRIES = [*_registry(4), *_registry(6)]
REFUSED_BEYOND = [ip_network(network) for network in BEYOND]
EDGES = sorted(
    {
        edge
        for network in [*(entry.network for entry in ENTRIES), *REFUSED_BEYOND]
        for end, step in ((network[0], -1), (network[-1], 1))
        for edge in (int(end), int(end) + step)
        if 0 <= edge < 2**network.max_prefixlen
        for edge in ((network.version, edge),)
    }
)
EMBEDDING = [
    ("::ffff:0:0", 0), ("::", 0), ("::ffff:0:0:0", 0), ("64:ff9b::", 0), ("64:ff9b:1::", 0), ("2002::", 80),
    ("2001::", 64), ("::5efe:0:0", 0), ("2a00:1450::5efe:0:0", 0), ("2a00:1450::200:5efe:0:0", 0),
]  # fmt: skip
"""Forms of IPv6 addresses that carry an IPv4 address: the prefix, and how far to shift the address."""


def _address(version: int, number: int) -> Address:
    return IPv4Address(number) if version == 4 else IPv6Address(number)


def _expected(address: Address) -> bool:
    """Whether `address` is to be refused: the narrowest block of the registries decides, then what is named here."""
    blocks = [entry for entry in ENTRIES if address in entry.network]
    reachable = max(blocks, key=lambda entry: entry.network.prefixlen).reachable if blocks else True
    isatap = address.version == 6 and int(address) >> 32 & 0xFFFF_FFFF in {0x5EFE, 0x0200_5EFE}
    return not reachable or isatap or any(address in network for network in REFUSED_BEYOND)


def _refused(address: object, port: int = 443) -> bool:
    try:
        vet(str(address), port, ())
    except Failed:
        return True
    return False


def test_the_registries_were_read() -> None:
    assert [sum(entry.network.version == version for entry in ENTRIES) for version in (4, 6)] == [26, 25]
    assert sum(entry.reachable for entry in ENTRIES) == 14


@pytest.mark.parametrize(("version", "number"), EDGES)
def test_each_block_ends_where_it_ends(version: int, number: int) -> None:
    address = _address(version, number)
    assert _refused(address) == _expected(address)


near_a_block = st.builds(
    lambda edge, by: _address(edge[0], (edge[1] + by) % 2 ** (32 if edge[0] == 4 else 128)),
    st.sampled_from(EDGES),
    st.integers(-(2**20), 2**20),
)
in_a_block = st.sampled_from(ENTRIES).flatmap(lambda entry: st.ip_addresses(network=entry.network))
global_unicast = st.integers(0x2 << 124, (0x4 << 124) - 1).map(IPv6Address)


@given(st.one_of(in_a_block, near_a_block, global_unicast, st.ip_addresses()))
def test_the_guard_refuses_exactly_what_the_registries_do_and_what_is_named(address: Address) -> None:
    assert _refused(address) == _expected(address)


@given(st.integers(0, 2**32 - 1), st.sampled_from(EMBEDDING))
@example(0x7F000001, EMBEDDING[0])
def test_an_address_within_an_address_is_refused(number: int, form: tuple[str, int]) -> None:
    prefix, shift = form
    assert _refused(IPv6Address(int(ip_address(prefix)) | number << shift))


@given(st.ip_addresses())
def test_what_python_takes_for_special_is_refused(address: Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert _refused(address)
