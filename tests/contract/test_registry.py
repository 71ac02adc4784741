"""The registry against a broker: what is written is read, and two consoles at once lose nothing."""

import secrets
from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from auditcast.console.appender import append
from auditcast.console.book import Changed
from auditcast.console.registry import Change, Registry, UnknownDestination
from auditcast.console.revisions import Gone, deleted, disabled
from auditcast.kafka.errors import WrongTopics
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import read_compacted
from auditcast.schemas import wire
from auditcast.schemas.records import Revision

PARTITIONS = 4
FIRST = Revision(destination="dst_1", number=0, nonce="", state="active", changed_at=0, epoch="00", workspace="ws_1")


@pytest.fixture
def nonces(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Decides the nonces that are drawn next."""

    def draw(*drawn: str) -> None:
        following: Iterator[str] = iter(drawn)
        monkeypatch.setattr(secrets, "token_hex", lambda _: next(following))

    return draw


def described(text: str) -> Change:
    return lambda newest: replace(newest or FIRST, description=text)


def last_record(connection: Connection) -> Revision:
    topic = Topics(connection.topic_prefix).destinations
    values = read_compacted(connection, topic, partition_of("dst_1", PARTITIONS), 20)
    return wire.decode_as(Revision, values[b"dst_1"])


def test_what_one_wrote_all_others_read(topics: Connection) -> None:
    with Registry(topics) as registry:
        first = registry.change("dst_1", lambda newest: newest or FIRST)
        assert first.written
        assert registry.get("dst_1") == first.revision
        assert registry.change("dst_1", lambda newest: newest or FIRST) == replace_written(first)
        second = registry.change("dst_1", described("a")).revision
        registry.change("dst_2", lambda _: replace(FIRST, destination="dst_2"))
    assert (first.revision.number, second.number) == (1, 2)
    with Registry(topics) as registry:
        assert [revision.destination for revision in registry.all()] == ["dst_1", "dst_2"]
        assert registry.get("dst_1") == second == last_record(topics)
        with pytest.raises(UnknownDestination, match=r"did you mean .*dst_1"):
            registry.get("dst_l")


def replace_written(changed: Changed[Revision]) -> Changed[Revision]:
    return Changed(changed.revision, written=False)


@pytest.mark.parametrize(("theirs", "ours"), [("0000", "ffff"), ("ffff", "0000")])
def test_changes_made_at_the_same_moment_are_both_in_force(
    topics: Connection, nonces: Callable[..., None], theirs: str, ours: str
) -> None:
    with Registry(topics) as registry:
        registry.change("dst_1", lambda _: FIRST)
    with Registry(topics) as one, Registry(topics) as two:
        nonces(theirs, ours, "8888")
        raced: list[object] = []

        def slow(newest: Revision | None) -> Revision:
            assert newest
            if not raced:
                raced.append(two.change("dst_1", described("theirs")))
            return disabled(newest)

        done = one.change("dst_1", slow)
    assert (done.revision.description, done.revision.state) == ("theirs", "disabled")
    with Registry(topics) as registry:
        assert registry.get("dst_1") == done.revision == last_record(topics)


@pytest.mark.parametrize(("theirs", "ours"), [("0000", "ffff"), ("ffff", "0000")])
def test_a_change_that_another_one_forbids_leaves_the_other_in_force(
    topics: Connection, nonces: Callable[..., None], theirs: str, ours: str
) -> None:
    with Registry(topics) as registry:
        registry.change("dst_1", lambda _: FIRST)
    with Registry(topics) as one, Registry(topics) as two:
        nonces(theirs, ours, "8888")
        raced: list[object] = []

        def slow(newest: Revision | None) -> Revision:
            assert newest
            if not raced:
                raced.append(two.change("dst_1", lambda newest: deleted(newest or FIRST)))
            return disabled(newest)

        with pytest.raises(Gone):
            one.change("dst_1", slow)
    with Registry(topics) as registry:
        assert registry.get("dst_1").state == "deleted"
        assert registry.get("dst_1") == last_record(topics)


def test_a_verdict_beside_a_change_by_a_person_is_void(topics: Connection, nonces: Callable[..., None]) -> None:
    """Also for the compacted topic: the person's change comes behind it, and is the one that is kept."""
    with Registry(topics) as registry:
        held = registry.change("dst_1", lambda _: FIRST).revision
    verdict = replace(held, number=2, nonce="-ffffffff", state="disabled", because="gone")
    with Registry(topics) as registry:
        nonces("0000")

        def slow(newest: Revision | None) -> Revision:
            append(topics, Topics(topics.topic_prefix).destinations, "dst_1", wire.encode(verdict), 10)
            return described("ours")(newest)

        done = registry.change("dst_1", slow).revision
    assert (done.number, done.state, done.because, done.description) == (2, "active", "", "ours")
    with Registry(topics) as registry:
        assert registry.get("dst_1") == done == last_record(topics)


def test_a_change_is_made_upon_a_verdict_that_is_in_force(topics: Connection, nonces: Callable[..., None]) -> None:
    with Registry(topics) as registry:
        held = registry.change("dst_1", lambda _: FIRST).revision
    verdict = replace(held, number=2, nonce="-ffffffff", paused=True, because="failing")
    append(topics, Topics(topics.topic_prefix).destinations, "dst_1", wire.encode(verdict), 10)
    with Registry(topics) as registry:
        assert registry.get("dst_1") == verdict
        done = registry.change("dst_1", described("ours")).revision
    assert (done.number, done.paused, done.because) == (3, True, "failing")


def test_a_record_that_cannot_be_read_does_not_hide_the_others(topics: Connection) -> None:
    append(topics, Topics(topics.topic_prefix).destinations, "dst_0", b"{}", 10)
    with Registry(topics) as registry:
        registry.change("dst_1", lambda _: FIRST)
        assert [revision.destination for revision in registry.all()] == ["dst_1"]
        assert registry.unreadable == {"dst_0"}


def test_missing_topics_are_told(topics: Connection) -> None:
    with pytest.raises(WrongTopics, match="topics create"), Registry(replace(topics, topic_prefix="nobody")):
        pass
