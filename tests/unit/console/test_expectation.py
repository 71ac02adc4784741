"""The expectation follows the log by the rules of the design, one after the other."""

from array import array
from typing import Any

import pytest

from auditcast.console.demo.chains import mark
from auditcast.console.demo.expectation import Difference, Expectation, Expected, difference
from auditcast.kafka.partitioner import partition_of
from auditcast.schemas.records import Control, Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode

PARTITIONS = 4
SEALER = Sealer([new_key()])
HOME = partition_of("ws", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS

T0 = 1_700_000_000_000


def event(id_: str, workspace: str = "ws", organization: str | None = "org") -> bytes:
    extension = f',"organizationid":"{organization}"' if organization else ""
    return (
        f'{{"specversion":"1.0","id":"{id_}","source":"https://x/workspaces/{workspace}","type":"pro.atmos.lock.created",'
        '"time":"2025-01-15T10:30:00.000Z","datacontenttype":"application/json","data":{"actor":{"id":"u","type":"user"},'
        '"action":{"category":"lock","action":"created"},"target":null,"description":null,"metadata":{},'
        f'"outcome":"success"}},"workspaceid":"{workspace}"{extension}}}'
    ).encode()


def control(number: int, partition: int = HOME, sealer: Sealer = SEALER, **settings: Any) -> bytes:
    scope = {} if "organization" in settings else {"workspace": "ws"}
    defaults = {"destination": "dst", "nonce": "aa", "state": "active", "changed_at": 0, "epoch": "e"}
    revision = encode(Revision(**defaults | scope | settings, number=number))
    mac = sealer.sign(b"control", str(partition).encode(), revision)
    return encode(Control(partition=partition, content=revision, mac=mac))


def moved(value: bytes, source: int, offset: int, sealer: Sealer = SEALER) -> list[tuple[str, bytes]]:
    where = f"{source}@{offset}".encode()
    return [
        ("auditcast-moved-from", where),
        ("auditcast-moved-mac", sealer.sign(b"moved", where, str(HOME).encode(), value)),
    ]


def expected(*values: bytes | None, partition: int = HOME) -> Expectation:
    expectation = Expectation(PARTITIONS, SEALER)
    for offset, value in enumerate(values):
        expectation.take(partition, offset, T0, value, [])
    return expectation


def ids(expectation: Expectation) -> list[int]:
    (stream,) = expectation.streams.values()
    return list(stream.ids)


def marks(*names: str) -> list[int]:
    return [mark(name.encode()) for name in names]


def test_expects_what_comes_while_a_revision_collects() -> None:
    disabled, again = control(2, state="disabled"), control(3, description="edited")
    found = expected(
        event("a"), control(1), event("b"), disabled, event("c"), None, again, event("d"), event("e", "ws2")
    )
    assert ids(found) == marks("b", "d")


def test_expects_nothing_by_a_revision_that_is_not_above_the_one_in_force() -> None:
    late = control(2, nonce="a0", state="disabled")
    found = expected(control(2, nonce="aa"), control(1, state="disabled"), late, event("a"))
    assert ids(found) == marks("a")


def test_trusts_no_control_record_of_a_stranger() -> None:
    stranger = control(2, sealer=Sealer([new_key()]), state="deleted")
    misplaced = control(3, partition=ELSEWHERE, state="deleted")
    assert ids(expected(control(1), stranger, misplaced, event("a"))) == marks("a")


def test_expects_organizations_events_in_each_partition() -> None:
    found = expected(control(1, partition=HOME, organization="org"), event("a"), event("b", organization=None))
    assert ids(found) == marks("a")
    assert found.in_force("dst", 1) == 1


def test_counts_a_moved_event_once_and_where_it_landed() -> None:
    found = expected(control(1), event("a"))
    found.take(ELSEWHERE, 7, T0, event("b"), [])
    found.take(HOME, 2, T0, event("b"), moved(event("b"), ELSEWHERE, 7))
    found.take(HOME, 3, T0, event("b"), moved(event("b"), ELSEWHERE, 7))
    found.take(HOME, 4, T0, event("c"), moved(event("c"), ELSEWHERE, 5, Sealer([new_key()])))
    assert ids(found) == marks("a", "b", "c")
    assert found.seen["misplaced"] == 1
    assert found.seen["moved again"] == 1


def test_expects_nothing_of_garbage() -> None:
    found = expected(control(1), b"{", b"\xc3\x01garbage", event("a")[:-1], b'{"id":"x"}', event("big" * 100_000))
    assert ids(found) == []
    assert found.seen["garbage"] == 5


def test_strikes_out_what_expired_unread() -> None:
    found = expected(control(1), event("a"), event("b"), event("c"))
    assert found.expire(HOME, before=3, covered={next(iter(found.streams)): 1}) == 1
    assert ids(found) == marks("a", "c")
    found.take(HOME, 4, T0, event("d"), [])
    assert ids(found) == marks("a", "c", "d")


@pytest.mark.parametrize(
    ("has", "contents", "answer"),
    [
        ([1, 2, 3], [1, 2, 9], Difference()),
        ([1, 2, 3], [1, 9, 9], Difference(altered=1)),
        ([1, 3], [1, 9], Difference(missing=1)),
        ([1, 2, 2, 3], [1, 2, 2, 9], Difference(unexpected=1)),
        ([2, 1, 3], [2, 1, 9], Difference(disordered=True)),
        ([1, 2, 4], [1, 9, 4], Difference(missing=1, unexpected=1, altered=1)),
    ],
)
def test_tells_what_differs(has: list[int], contents: list[int], answer: Difference) -> None:
    must = Expected("dst", array("q", [5, 6, 7]), array("Q", [1, 2, 3]), array("Q", [1, 2, 0]))
    assert difference(must, array("Q", has), array("Q", contents)) == answer
