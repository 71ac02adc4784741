"""Destinations follow their workspaces against a broker, whoever changes either at the same moment."""

import contextlib
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from auditcast.console import entitlement, entitling
from auditcast.console.appender import append
from auditcast.console.entitlement import Known, NoRoom, NotEntitled
from auditcast.console.entitling import added, enabling, settle
from auditcast.console.registry import Registry
from auditcast.console.revisions import disabled
from auditcast.console.surveys import of_destinations
from auditcast.console.workspaces import Said, Workspaces, described
from auditcast.deliverers.alerts.pausing import paused
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas import wire
from auditcast.schemas.records import Revision, Workspace

WANTED = Revision(
    destination="dst_1", number=0, nonce="", state="active", changed_at=0, epoch="00", workspace="ws_1", secret=b"ours"
)


def put(connection: Connection, plan: str, workspace: str = "ws_1", **more: str) -> Workspace:
    """The first half of `workspaces set`: what is said is durable, and no destination has followed yet."""
    said = Said(plan=plan, **more)
    with Workspaces(connection) as book:
        return book.change(workspace, lambda newest: described(newest, workspace, said, ["enterprise"], 1)).revision


def downgrade(connection: Connection) -> None:
    put(connection, "free")
    settle(connection)


def upgrade(connection: Connection) -> None:
    put(connection, "enterprise")
    settle(connection)


def once(deed: Callable[[], object]) -> Callable[[], None]:
    """Does it when first called, and nothing from then on."""
    deeds = iter([deed])

    def do() -> None:
        for each in deeds:
            each()

    return do


def add(connection: Connection, wanted: Revision = WANTED, limit: int = 0) -> Revision:
    with Registry(connection) as registry:
        return added(registry, wanted, lambda held: held, limit)


def newest(connection: Connection, destination: str = "dst_1") -> Revision:
    with Registry(connection) as registry:
        return registry.get(destination)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something happen once it is decided that a destination may be added, and before it is written."""

    def arrange(deed: Callable[[], object]) -> None:
        real, happen = entitlement.check_room, once(deed)

        def slow(wanted: Revision, destinations: list[Revision], limit: int) -> None:
            real(wanted, destinations, limit)
            happen()

        monkeypatch.setattr(entitling, "check_room", slow)

    return arrange


def test_what_is_said_is_read_and_an_unreadable_record_hides_no_other(topics: Connection) -> None:
    append(topics, Topics(topics.topic_prefix).workspaces, "ws_0", b"{}", 10)
    said = put(topics, "free", name="Acme")
    with Workspaces(topics) as book:
        assert book.find("ws_1") == said
        assert book.unreadable == {"ws_0"}
    settled = settle(topics)
    assert settled.known.workspaces == {"ws_1": said}
    assert settled.known.unreadable == {"ws_0"}


def test_destinations_follow_their_workspace_and_their_organization(topics: Connection) -> None:
    for name, more in (
        ("dst_1", {}),
        ("dst_2", {"state": "disabled"}),
        ("dst_3", {"workspace": "ws_2"}),
        ("dst_4", {"workspace": None, "organization": "org_1"}),
    ):
        add(topics, replace(WANTED, destination=name, **more))
    put(topics, "free", organization="org_1")
    assert [each.destination for each in settle(topics).changed] == ["dst_1", "dst_2", "dst_4"]
    assert settle(topics).changed == []
    with pytest.raises(NotEntitled):
        enabling(topics)(newest(topics, "dst_2"))
    put(topics, "enterprise", "ws_2", organization="org_1")
    assert [each.destination for each in settle(topics).changed] == ["dst_4"]
    put(topics, "enterprise")
    assert [each.destination for each in settle(topics).changed] == ["dst_1", "dst_2"]
    assert enabling(topics)(newest(topics, "dst_2")).state == "active"


def test_a_destination_that_is_added_beside_a_downgrade_is_not_entitled(
    topics: Connection, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    """Neither sees the other at first: the downgrade has looked at all destinations before this one was there."""
    meanwhile(lambda: downgrade(topics))
    assert not add(topics).entitled
    assert not newest(topics).entitled
    with pytest.raises(NotEntitled):
        add(topics, replace(WANTED, destination="dst_2"))


def test_of_a_downgrade_and_an_upgrade_at_once_the_later_one_has_the_last_word(
    topics: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(topics)
    put(topics, "free")
    real, happen = entitlement.in_line, once(lambda: upgrade(topics))

    def slow(revision: Revision, known: Known) -> Revision:
        happen()
        return real(revision, known)

    monkeypatch.setattr(entitling, "in_line", slow)
    settle(topics)
    assert newest(topics).entitled


@pytest.mark.parametrize("first", ["verdict", "downgrade"])
def test_a_verdict_beside_a_downgrade_does_not_undo_it(topics: Connection, first: str) -> None:
    held = add(topics)
    verdict = paused(held, 5)

    def judge() -> None:
        append(topics, Topics(topics.topic_prefix).destinations, "dst_1", wire.encode(verdict), 10)

    for deed in (judge, lambda: downgrade(topics))[:: 1 if first == "verdict" else -1]:
        deed()
    now = newest(topics)
    assert not now.entitled
    assert now.paused == (first == "verdict"), "what was known is kept, what was said of an older state is void"
    assert now.order > verdict.order


def test_an_edit_beside_a_downgrade_keeps_both(topics: Connection) -> None:
    add(topics)
    with Registry(topics) as registry:
        happen = once(lambda: downgrade(topics))

        def slow(revision: Revision | None) -> Revision:
            happen()
            return disabled(revision or WANTED)

        done = registry.change("dst_1", slow).revision
    assert (done.state, done.entitled) == ("disabled", False)


def test_adding_again_what_is_there_is_never_refused(topics: Connection) -> None:
    there = add(topics, limit=1)
    downgrade(topics)
    again = add(topics, replace(WANTED, secret=b"theirs"), limit=1)
    assert (again.secret, again.entitled) == (there.secret, False)


def test_of_two_that_fill_the_last_place_at_once_the_later_one_takes_its_own_back(
    topics: Connection, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    add(topics, replace(WANTED, destination="dst_2"), limit=2)
    theirs = replace(WANTED, destination="dst_0")
    meanwhile(lambda: add(topics, theirs, limit=2))
    with pytest.raises(NoRoom, match="has 2 destinations, and may have 2"):
        add(topics, limit=2)
    assert alive(topics) == {"dst_0", "dst_2"}


def test_the_limit_holds_even_if_the_clock_of_who_came_later_is_behind(
    topics: Connection, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    monkeypatch.setattr(entitling, "YIELD_S", 0.5)
    theirs = replace(WANTED, destination="dst_2", number=1, nonce=secrets.token_hex(8), changed_at=1 << 50)
    meanwhile(lambda: append(topics, Topics(topics.topic_prefix).destinations, "dst_2", wire.encode(theirs), 10))
    with pytest.raises(NoRoom):
        add(topics, limit=1)
    assert alive(topics) == {"dst_2"}


def test_the_limit_holds_when_two_write_and_look_at_once(topics: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    both, decided = threading.Barrier(2), set[str]()

    def slow(wanted: Revision, destinations: list[Revision], limit: int) -> None:
        entitlement.check_room(wanted, destinations, limit)
        if wanted.destination not in decided:
            decided.add(wanted.destination)
            both.wait(30)

    monkeypatch.setattr(entitling, "check_room", slow)

    def try_to_add(name: str) -> None:
        with contextlib.suppress(NoRoom):
            add(topics, replace(WANTED, destination=name), limit=1)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(try_to_add, ("dst_1", "dst_2")))
    assert len(alive(topics)) <= 1


def alive(connection: Connection) -> set[str]:
    with of_destinations(connection) as survey:
        return {name for name, each in survey.look().items() if each.state != "deleted"}
