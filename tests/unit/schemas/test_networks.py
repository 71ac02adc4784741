"""The table of forbidden networks, against every vector of facts/webhooks.md and the edges of each network."""

from ipaddress import ip_network

import pytest

from auditcast.schemas.errors import Misconfigured
from auditcast.schemas.networks import FORBIDDEN, forbidden, networks

REFUSED = """
0.0.0.0 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 172.31.255.255
192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1
255.255.255.255 168.63.129.16
:: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 ::ffff:0:7f00:1 ::5efe:7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
2002:7f00:1::1 2001::1 2001:0:4136:e378::1 fc00::1 fd00:ec2::254 fe80::1 fe80::1%eth0 fec0::1 5f00::1 100::1
3fff::1 2001:db8::1 ff0e::1 4000::1 8000::1 1fff::1 localhost 2130706433 127.1 0177.0.0.1
"""

PUBLIC = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 172.15.255.255 172.32.0.1
192.0.1.1 192.167.1.1 198.17.255.255 198.20.0.1 223.255.255.255 168.63.129.17
2606:4700:4700::1111 2001:4860:4860::8888 2001:200::1 2a00:1450::1 2000::1 3ffe::1
"""


@pytest.mark.parametrize("address", REFUSED.split())
def test_what_is_not_public_is_refused(address: str) -> None:
    assert forbidden(address) is not None


@pytest.mark.parametrize("address", PUBLIC.split())
def test_what_is_public_is_not(address: str) -> None:
    assert forbidden(address) is None


def test_the_table_leaves_exactly_global_unicast_of_ipv6() -> None:
    outside = [net for net, _ in FORBIDDEN if net.version == 6 and not net.subnet_of(ip_network("2000::/3"))]
    assert sum(net.num_addresses for net in outside if net.prefixlen <= 3) == 2**128 - 2**125


def test_only_the_named_network_is_allowed() -> None:
    allowed = networks(["10.1.0.0/16", "fd00:1::/64"])
    assert forbidden("10.1.2.3", allowed) is None
    assert forbidden("fd00:1::5", allowed) is None
    assert forbidden("10.2.0.1", allowed) is not None
    assert forbidden("::ffff:10.1.2.3", allowed) is not None


@pytest.mark.parametrize("text", ["10.1.2.3/16", "10.0.0.0/33", "intranet", "10/8"])
def test_a_network_with_a_slip_names_the_variable(text: str) -> None:
    with pytest.raises(Misconfigured, match="AUDITCAST_ALLOWED_NETWORKS"):
        networks([text])
