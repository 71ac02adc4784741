"""All destinations are sealed with the newest key, whatever else is done to them at the same moment."""

from collections.abc import Iterator, Sequence

import pytest
from msgspec.structs import replace

from auditcast.console import revisions
from auditcast.console.choices import Choices, Rules
from auditcast.console.overlap import UnderWay, begun
from auditcast.console.registry import Registry
from auditcast.console.rotation import rotate
from auditcast.console.sealed import open_headers
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer, new_key

NOW = 1_800_000_000_000
OLD, NEW, LOST = new_key(), new_key(), new_key()


def add(registry: Registry, name: str, key: str) -> None:
    rules = Rules(sealer=Sealer([key]), allowed=(), base_url="https://platform.example", type_prefix="example")
    wanted = revisions.created(
        name,
        workspace="ws_1",
        organization=None,
        choices=Choices(url="https://siem.example.com", headers=[("X-Key", f"key of {name}")]),
        rules=rules,
        secret=f"whsec_{name}",
        epoch="00",
    )
    registry.change(name, lambda _: wanted)


def plainly(revisions: Sequence[Revision]) -> Iterator[Revision]:
    return iter(revisions)


def opened(revision: Revision, key: str) -> tuple[str, dict[str, str]]:
    sealer = Sealer([key])
    secret = sealer.open(f"{revision.destination}/secret", revision.secret)
    return secret, open_headers(revision, sealer)


def test_everything_opens_with_the_new_key_alone_and_a_repetition_does_nothing(topics: Connection) -> None:
    with Registry(topics) as registry:
        for name, key in (("dst_1", OLD), ("dst_2", NEW), ("dst_3", OLD), ("dst_lost", LOST)):
            add(registry, name, key)
        last = registry.get("dst_3")
        registry.change("dst_3", lambda newest: revisions.deleted(newest or last))
        before = {each.destination: each for each in registry.all()}
        rotated = rotate(registry, [NEW, OLD], plainly)
    assert (rotated.resealed, rotated.current, rotated.complete) == (["dst_1", "dst_3"], 1, False)
    [left] = rotated.unopened
    assert (left.destination, left.deleted) == ("dst_lost", False)
    with Registry(topics) as registry:
        for name in ("dst_1", "dst_2", "dst_3"):
            found = registry.get(name)
            assert opened(found, NEW) == (f"whsec_{name}", {"X-Key": f"key of {name}"})
            was = before[name]
            kept = {"number": was.number, "nonce": was.nonce, "changed_at": was.changed_at}
            assert replace(found, secret=was.secret, headers=was.headers, **kept) == was
        assert registry.get("dst_lost") == before["dst_lost"]
        again = rotate(registry, [NEW, OLD], plainly)
    assert (again.resealed, again.current) == ([], 3)


def test_an_edit_at_the_same_moment_is_not_lost_nor_left_behind(topics: Connection) -> None:
    with Registry(topics) as registry:
        add(registry, "dst_1", OLD)
    with Registry(topics) as one, Registry(topics) as two:

        def theirs(newest: Revision | None) -> Revision:
            assert newest
            return replace(newest, description="theirs")

        def raced(found: Sequence[Revision]) -> Iterator[Revision]:
            for each in found:
                two.change(each.destination, theirs)
                yield each

        rotate(one, [NEW, OLD], raced)
    with Registry(topics) as registry:
        found = registry.get("dst_1")
    assert found.description == "theirs"
    assert opened(found, NEW)[0] == "whsec_dst_1"
    with pytest.raises(WrongSealingKey):
        opened(found, OLD)


def test_of_two_who_rotate_one_secret_at_the_same_moment_one_is_refused(topics: Connection) -> None:
    sealer = Sealer([OLD])
    with Registry(topics) as registry:
        add(registry, "dst_1", OLD)
    with Registry(topics) as one, Registry(topics) as two:

        def ours(newest: Revision | None) -> Revision:
            assert newest
            return begun(newest, "whsec_ours", now=NOW, overlap=1000, sealer=sealer)

        def theirs(newest: Revision | None) -> Revision:
            assert newest
            if not newest.next_secret:  # not seen yet: ours comes first
                two.change("dst_1", ours)
            return begun(newest, "whsec_theirs", now=NOW, overlap=1000, sealer=sealer)

        with pytest.raises(UnderWay):
            one.change("dst_1", theirs)
    with Registry(topics) as registry:
        found = registry.get("dst_1")
    assert sealer.open("dst_1/next-secret", found.next_secret) == "whsec_ours"
    assert sealer.open("dst_1/secret", found.secret) == "whsec_dst_1"
