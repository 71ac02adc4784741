"""The guard decides on the address connected to, however it was come by."""

import asyncio
import socket
from ipaddress import ip_network

import pytest

from auditcast.deliverers import guard
from auditcast.deliverers.guard import Found, Guard, vet
from auditcast.deliverers.outcomes import Failed, Reason

PUBLIC = ("1.1.1.1", "2606:4700:4700::1111")
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("fe80::/10"))


def _address(host: str, port: int = 443) -> tuple[object, ...]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


FORBIDDEN = """
127.0.0.1 169.254.169.254 ::1 ::ffff:127.0.0.1 64:ff9b::a9fe:a9fe 2002:7f00:1::1 fe80::1%lo 2a00:1450::5efe:7f00:1
2a00:1450::200:5efe:a00:1 localhost 0x7f.1 2130706433 127.1
"""


@pytest.mark.parametrize("host", FORBIDDEN.split())
def test_no_socket_for_a_forbidden_address(host: str) -> None:
    with pytest.raises(Failed) as refused:
        Guard((), 1).open_socket(_address(host))
    assert refused.value.reason is Reason.ADDRESS_FORBIDDEN


@pytest.mark.parametrize("host", PUBLIC)
def test_a_socket_for_a_public_address(host: str) -> None:
    with Guard((), 1).open_socket(_address(host)) as made:
        assert made.family in {socket.AF_INET, socket.AF_INET6}


@pytest.mark.parametrize("port", [443, 1024, 8443, 65535])
def test_ports_where_receivers_are(port: int) -> None:
    vet(PUBLIC[0], port, ())


@pytest.mark.parametrize("port", [0, 22, 80, 1023, 2379, 6379, 6443, 10250])
@pytest.mark.parametrize("address", [PUBLIC[0], "127.0.0.1"])
def test_ports_of_services_are_refused_in_allowed_networks_too(address: str, port: int) -> None:
    with pytest.raises(Failed, match=f"port {port} is"):
        vet(address, port, LOOPBACK)


def test_an_address_with_a_zone_is_refused_even_where_its_network_is_allowed() -> None:
    vet("fe80::1", 443, LOOPBACK)
    with pytest.raises(Failed):
        vet("fe80::1%eth0", 443, LOOPBACK)


async def test_one_forbidden_address_poisons_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, 1, 6, "", (host, 0)) for host in ("1.1.1.1", "10.0.0.1", "1.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    with pytest.raises(Failed, match="not public"):
        await Guard((), 1).resolve("rebinding.example.com", 443)
    del answer[1]
    found = await Guard((), 1).resolve("fine.example.com", 443)
    assert [(each["host"], each["port"]) for each in found] == [("1.1.1.1", 443), ("1.0.0.1", 443)]


async def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, 1, 6, "", (f"1.1.{number // 256}.{number % 256}", 0)) for number in range(4000)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answer)
    assert len(await Guard((), 1).resolve("many.example.com", 443)) == guard.ADDRESSES


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), Reason.NAME_UNKNOWN),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), Reason.RESOLVER_FAILED),
        (UnicodeError(), Reason.NAME_UNKNOWN),
    ],
)
async def test_a_lookup_that_fails_says_whose_fault_it_is(
    monkeypatch: pytest.MonkeyPatch, error: Exception, reason: Reason
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(Failed) as failed:
        await Guard((), 1).resolve("siem.example.com", 443)
    assert failed.value.reason is reason


async def test_a_name_server_that_hangs_is_waited_for_no_longer_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(guard, "_lookup", hang)
    with pytest.raises(Failed) as failed:
        await Guard((), 0.01).resolve("siem.example.com", 443)
    assert failed.value.reason is Reason.RESOLVER_FAILED


async def test_name_servers_that_hang_leave_lookups_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def lookup(host: str, _: int) -> Found:
        if host.startswith("hang"):
            await asyncio.Event().wait()
        return [(socket.AF_INET, "1.1.1.1")]

    monkeypatch.setattr(guard, "_lookup", lookup)
    names = [f"hang-{number}.example" for number in range(guard.LOOKUPS)]
    impatient, patient = Guard((), 0.01), Guard((), 1000)
    patient._lookups = impatient._lookups
    for failure in await asyncio.gather(*map(impatient.look_up, names), return_exceptions=True):
        assert isinstance(failure, Failed)
    hanging = [asyncio.create_task(patient.look_up(name)) for name in names]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await patient.look_up("fast.example") == [(socket.AF_INET, "1.1.1.1")]
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)
