"""The way out, through the real transport: which addresses are connected to, and what a proxy may do."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_network

import httpx
import pytest
import trustme

from auditcast.deliverers import connections as connections_module
from auditcast.deliverers import egress
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.guard import Guard, results
from auditcast.deliverers.outcomes import Reason, detail_of, reason_of
from auditcast.deliverers.transport import Answer, Limits, Transport
from auditcast.kafka.settings import Secret
from auditcast.schemas.errors import Misconfigured
from auditcast.schemas.networks import Network
from tests.hostile import Hostile, closed_port
from tests.tunnels import Proxy

LIMITS = Limits(connect=5, write=5, first_byte=5, whole=5)
LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"),)
REFUSED = {Reason.ADDRESS_FORBIDDEN, Reason.REQUEST_INVALID, Reason.NAME_UNKNOWN}


class Surroundings:
    """What the process does on the network: the names that it looks up, and the addresses that it connects to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []
        look_up, connect = socket.getaddrinfo, asyncio.get_running_loop().sock_connect

        def getaddrinfo(host: str, *args: object, **more: object) -> object:
            self.looked_up.append(host)
            if host not in self.answers:
                return look_up(host, *args, **more)  # type: ignore[arg-type]  # just passed on
            # Each answer counts once, the last for ever: a name server that rebinds.
            answer = self.answers[host].pop(0) if len(self.answers[host]) > 1 else self.answers[host][0]
            family = {True: socket.AF_INET6, False: socket.AF_INET}
            return [(family[":" in each], socket.SOCK_STREAM, 6, "", (each, 0)) for each in answer]

        async def sock_connect(sock: socket.socket, address: tuple[str, int]) -> None:
            self.connected.append(address[:2])
            await connect(sock, address)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", sock_connect)


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    return Surroundings(monkeypatch)


@pytest.fixture
async def receiver(ca: trustme.CA) -> AsyncIterator[Hostile]:
    async with Hostile(ca) as server:
        yield server


@pytest.fixture
async def connect(ca: trustme.CA) -> AsyncIterator[Callable[[Guard], Connections]]:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    made = []

    def make(guard: Guard) -> Connections:
        made.append(Connections(lambda: Transport(context, guard, LIMITS), 4))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def _post(connections: Connections, url: str) -> Answer:
    return await connections.request("dst", "POST", httpx.URL(url), lambda: [("Authorization", "Bearer hush")], b"[]")


async def _failure(connections: Connections, url: str) -> tuple[Reason | None, str]:
    with pytest.raises(Exception) as failed:  # noqa: PT011  (any; its name is what is tested)
        await _post(connections, url)
    return reason_of(failed.value), detail_of(failed.value)


VECTORS = """
0.0.0.0 10.0.0.1 100.64.0.1 127.0.0.1 169.254.169.254 172.16.0.1 192.0.0.192 192.168.1.1 198.18.0.1 224.0.0.1 240.0.0.1
255.255.255.255 168.63.129.16 127.1 0x7f.1 2130706433 0x7f000001 0177.0.0.1 017700000001 127.0.0.1. localhost localhost.
[::] [::1] [::ffff:127.0.0.1] [::7f00:1] [::ffff:0:7f00:1] [::5efe:7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::1]
[2002:7f00:1::1] [2001::1] [fc00::1] [fe80::1] [fec0::1] [5f00::1] [100::1] [3fff::1] [2001:db8::1] [ff0e::1]
[fd00:ec2::254] [2a00:1450::5efe:7f00:1] [fe80::1%25lo] 1.1.1.1:0 1.1.1.1:22 1.1.1.1:6443 [2606:4700::1111]:25
"""


@pytest.mark.parametrize("place", VECTORS.split())
async def test_nothing_is_connected_to_that_is_not_public(
    network: Surroundings, connect: Callable[[Guard], Connections], place: str
) -> None:
    """Though the URL's own check (urls.py), which refuses most of these, is left out here."""
    host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
    url = f"https://{host}:{port}/" if colon else f"https://{place}:8443/"
    try:
        parsed = str(httpx.URL(url))
    except httpx.InvalidURL:
        return
    reason, _ = await _failure(connect(Guard((), 5)), parsed)
    assert reason in REFUSED
    assert network.connected == []


@pytest.mark.parametrize(
    "answer", [["127.0.0.2", "10.0.0.1"], ["10.0.0.1", "127.0.0.2"], ["127.0.0.2", "::1"], ["127.0.0.2"] * 20 + ["::"]]
)
async def test_one_forbidden_address_among_others_is_one_too_many(
    network: Surroundings, connect: Callable[[Guard], Connections], answer: list[str]
) -> None:
    network.answers["mixed.example.com"] = [answer]
    reason, said = await _failure(connect(Guard(LOOPBACK, 5)), "https://mixed.example.com:8443/")
    assert reason is Reason.ADDRESS_FORBIDDEN
    assert said.startswith("mixed.example.com leads to")
    assert not [address for address in answer if address in said]  # it may be a name of ours that is spied out
    assert network.connected == []


async def test_a_name_is_looked_up_once_and_what_was_vetted_is_connected_to(
    network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections]
) -> None:
    network.answers["localhost"] = [["127.0.0.1"], ["10.0.0.1"]]
    connections = connect(Guard(LOOPBACK, 5))
    for _ in range(3):
        await _post(connections, receiver.url("/ok"))
    assert network.looked_up == ["localhost"]
    assert network.connected == [("127.0.0.1", receiver.port)]


async def test_a_connection_ends_in_time_to_notice_that_its_name_moved(
    network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections], monkeypatch: pytest.MonkeyPatch
) -> None:
    network.answers["localhost"] = [["127.0.0.1"], ["10.0.0.1"]]
    connections = connect(Guard(LOOPBACK, 5))
    await _post(connections, receiver.url("/ok"))
    monkeypatch.setattr(connections_module, "MAX_AGE_S", 0.0)
    reason, _ = await _failure(connections, receiver.url("/ok"))
    assert reason is Reason.ADDRESS_FORBIDDEN
    assert network.connected == [("127.0.0.1", receiver.port)]


async def test_a_name_that_moved_is_vetted_anew_once_the_connection_broke(
    network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections]
) -> None:
    network.answers["localhost"] = [["127.0.0.1"], ["10.0.0.1"]]
    connections = connect(Guard(LOOPBACK, 5))
    await _post(connections, receiver.url("/stale"))
    reason, _ = await _failure(connections, receiver.url("/ok"))
    assert reason is Reason.ADDRESS_FORBIDDEN
    assert network.connected == [("127.0.0.1", receiver.port)]


async def test_an_edited_url_gets_a_connection_of_its_own(
    ca: trustme.CA, network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections]
) -> None:
    network.answers["inside.example.com"] = [["10.0.0.1"]]
    connections = connect(Guard(LOOPBACK, 5))
    await _post(connections, receiver.url("/ok"))
    reason, _ = await _failure(connections, "https://inside.example.com:8443/ok")
    assert reason is Reason.ADDRESS_FORBIDDEN
    await _post(connections, receiver.url("/ok"))
    async with Hostile(ca) as other:
        await _post(connections, other.url("/ok", "127.0.0.1"))
        assert len(other.requests) == 1
    assert len(receiver.requests) == 2
    assert {address for address, _ in network.connected} == {"127.0.0.1"}


async def test_a_resolver_that_lies_gets_no_socket(
    network: Surroundings, connect: Callable[[Guard], Connections], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sockets are the choke point: whatever way an address comes by, and however many race."""
    guard = Guard((), 5)

    async def lie(host: str, port: int = 0, family: object = None) -> object:
        return results(host, port, [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])

    monkeypatch.setattr(guard, "resolve", lie)
    reason, _ = await _failure(connect(guard), "https://siem.example.com:8443/")
    assert reason is Reason.CONNECT_FAILED  # which is what is left of several refusals
    assert network.connected == []


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy"])
async def test_no_proxy_of_the_environment_is_used(
    receiver: Hostile, connect: Callable[[Guard], Connections], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with closed_port() as nobody:
        monkeypatch.setenv(name, f"http://127.0.0.1:{nobody}")
        assert (await _post(connect(Guard(LOOPBACK, 5)), receiver.url("/ok"))).status == 200


async def test_no_netrc_is_read(
    receiver: Hostile,
    connect: Callable[[Guard], Connections],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path_factory.mktemp("home") / ".netrc"
    netrc.write_text("machine localhost login somebody password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(netrc.parent))
    connections = connect(Guard(LOOPBACK, 5))
    await connections.request("dst", "POST", httpx.URL(receiver.url("/ok")), list, b"[]")
    assert "authorization" not in receiver.requests[0].headers


def _through(url: str, login: str = "", allowed: tuple[Network, ...] = ()) -> Guard:
    return egress.guard(url, Secret(login), allowed, 5)


async def test_a_proxy_gets_a_tunnel_and_its_login_and_nothing_else(
    network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections]
) -> None:
    network.answers["localhost"] = [["1.1.1.1"]]  # as a public receiver is seen from here
    proxy = Proxy(receiver.port)
    async with proxy.serving() as url:
        connections = connect(_through(url, "user:proxy-hush"))
        for _ in range(2):
            assert (await _post(connections, "https://localhost:8443/ok?token=url-hush")).status == 200
        await connections.close()
    (asked,) = proxy.asked
    head, *lines = asked.strip().split("\r\n")
    assert head == "CONNECT localhost:8443 HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines}
    assert names <= {"host", "proxy-authorization", "user-agent", "accept", "accept-encoding", "connection"}
    assert f"Basic {base64.b64encode(b'user:proxy-hush').decode()}" in asked
    assert "url-hush" not in asked
    assert "Bearer hush" not in asked
    assert "proxy-authorization" not in receiver.requests[0].headers
    assert {address for address, _ in network.connected} == {"127.0.0.1"}  # the proxy's, never 1.1.1.1


async def test_receivers_behind_a_proxy_still_prove_who_they_are(
    network: Surroundings, receiver: Hostile, connect: Callable[[Guard], Connections]
) -> None:
    network.answers["siem.example.com"] = [["1.1.1.1"]]
    proxy = Proxy(receiver.port)
    async with proxy.serving() as url:
        reason, _ = await _failure(connect(_through(url)), "https://siem.example.com/ok")
    assert reason is Reason.CERTIFICATE_REFUSED
    assert receiver.requests == []


@pytest.mark.parametrize("status", [302, 403, 407, 502])
async def test_a_proxy_that_refuses_is_named(
    network: Surroundings, connect: Callable[[Guard], Connections], status: int
) -> None:
    network.answers["siem.example.com"] = [["1.1.1.1"]]
    async with Proxy(status=status).serving() as url:
        said = await _failure(connect(_through(url, "user:proxy-hush")), "https://siem.example.com/?token=hush")
    assert said == (Reason.PROXY_REFUSED, f"the egress proxy answered {status} to CONNECT")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "no-such-proxy.invalid"])
async def test_a_proxy_that_is_away_is_named(connect: Callable[[Guard], Connections], host: str) -> None:
    with closed_port() as nobody:
        reason, _ = await _failure(connect(_through(f"http://{host}:{nobody}")), "https://1.1.1.1/")
    assert reason is Reason.PROXY_UNREACHABLE


FORBIDDEN = """
https://127.0.0.1:8443/ https://10.0.0.1/ https://[::1]:8443/ https://[fd00:ec2::254]/ https://1.1.1.1:22/
https://inside.example.com/ https://mixed.example.com/ https://127.0.0.1:{proxy}/
"""


@pytest.mark.parametrize("target", FORBIDDEN.split())
async def test_what_is_seen_to_be_forbidden_is_not_asked_of_a_proxy(
    network: Surroundings, connect: Callable[[Guard], Connections], target: str
) -> None:
    network.answers |= {"inside.example.com": [["10.0.0.1"]], "mixed.example.com": [["1.1.1.1", "::1"]]}
    proxy = Proxy()
    async with proxy.serving() as url:
        reason, _ = await _failure(connect(_through(url)), target.format(proxy=url.rpartition(":")[2]))
    assert reason is Reason.ADDRESS_FORBIDDEN
    assert proxy.asked == []


async def test_a_name_that_only_the_proxy_knows_is_left_to_it(
    ca: trustme.CA, network: Surroundings, connect: Callable[[Guard], Connections]
) -> None:
    async with Hostile(ca, "siem.invalid") as receiver:
        proxy = Proxy(receiver.port)
        async with proxy.serving() as url:
            connections = connect(_through(url))
            assert (await _post(connections, "https://siem.invalid/ok")).status == 200
            await connections.close()
            assert (await _post(connections, "https://siem.invalid/ok")).status == 200
            await connections.close()
    assert network.looked_up == ["siem.invalid"]  # where there is no name server, each lookup takes long


SLIPS = """
http://user:hush@127.0.0.1:3128 https://127.0.0.1:3128 socks5://127.0.0.1:1080 127.0.0.1:3128 http://127.0.0.1
http://127.0.0.1:0 http://127.0.0.1:70000 http://127.0.0.1:3128/hush
"""


@pytest.mark.parametrize(
    ("url", "login"), [("", "user:hush"), ("http://127.0.0.1:3128", "hush"), *((url, "") for url in SLIPS.split())]
)
def test_a_slip_in_the_proxys_settings_is_named_and_not_repeated(url: str, login: str) -> None:
    with pytest.raises(Misconfigured, match="AUDITCAST_EGRESS_PROXY") as said:
        _through(url, login)
    assert "hush" not in str(said.value)


def test_without_a_proxy_the_guard_is_the_plain_one() -> None:
    assert type(_through("")) is Guard
