"""Which events a destination wants."""

import pytest
from msgspec.structs import replace

from auditcast.schemas.events import Action, Actor, CloudEvent, Data
from auditcast.schemas.records import Revision
from auditcast.schemas.selection import selection

ALL = Revision(destination="dst_1", number=1, nonce="", state="active", changed_at=0, epoch="e")


def event(category: str, action: str, outcome: str = "success") -> CloudEvent:
    data = Data(
        actor=Actor(id="usr_1", type="user"),
        action=Action(category=category, action=action),
        target=None,
        description=None,
        metadata={},
        outcome=outcome,  # type: ignore[arg-type]  # one of the two that there are
    )
    return CloudEvent(
        specversion="1.0", id="aud_1", source="s", type="t", time="2025-01-15T10:30:00.000Z",
        datacontenttype="application/json", data=data, workspaceid="ws_1",
    )  # fmt: skip


def test_who_asks_for_nothing_special_gets_everything_at_no_cost() -> None:
    assert selection(ALL) is None


@pytest.mark.parametrize(
    ("wishes", "wanted", "others"),
    [
        (
            {"categories": ["team_*", "lock"]},
            [("team_member", "added"), ("lock", "x")],
            [("locks", "x"), ("team", "x")],
        ),
        ({"actions": ["*.deleted"]}, [("lock", "deleted")], [("lock", "undeleted"), ("deleted", "x")]),
        ({"actions": ["lock.[cd]*"]}, [("lock", "created")], [("lock", "edited"), ("clock", "created")]),
        ({"outcome": "failure"}, [("a", "b", "failure")], [("a", "b", "success")]),
        (
            {"categories": ["lock"], "actions": ["*.deleted"], "outcome": "failure"},
            [("lock", "deleted", "failure")],
            [("lock", "deleted"), ("lock", "created", "failure"), ("team", "deleted", "failure")],
        ),
    ],
)
def test_an_event_is_wanted_if_every_wish_allows_it(
    wishes: dict[str, object], wanted: list[tuple[str, ...]], others: list[tuple[str, ...]]
) -> None:
    chooses = selection(replace(ALL, **wishes))
    assert chooses is not None
    assert all(chooses(event(*each)) for each in wanted)
    assert not any(chooses(event(*each)) for each in others)
