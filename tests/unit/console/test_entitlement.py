"""Which destinations are entitled, by what is known of their workspaces."""

from typing import Any

import pytest
from msgspec.structs import replace

from auditcast.console.entitlement import (
    Known,
    NoRoom,
    NotEntitled,
    Unknowable,
    check_entitled,
    check_room,
    in_line,
)
from auditcast.console.workspaces import Said, described, judged
from auditcast.schemas.errors import InvalidWorkspace
from auditcast.schemas.records import Revision, Workspace

OWN = Revision(destination="dst_1", number=1, nonce="a", state="active", changed_at=0, epoch="0", workspace="ws_1")
ALL = replace(OWN, destination="dst_2", workspace=None, organization="org_1")
PLANS = ["enterprise"]


def said(**more: Any) -> Workspace:
    return described(None, "ws_1", Said(**more), PLANS, 1_000)


def known(**plans: str) -> Known:
    """Workspaces of org_1 by their ids, on these plans."""
    return Known({id_: replace(said(plan=plan, organization="org_1"), workspace=id_) for id_, plan in plans.items()})


@pytest.mark.parametrize(
    ("plans", "own", "organization"),
    [
        ({}, True, True),
        ({"ws_1": ""}, True, True),
        ({"ws_1": "enterprise"}, True, True),
        ({"ws_1": "free"}, False, False),
        ({"ws_1": "free", "ws_2": "enterprise"}, False, True),
        ({"ws_2": "free"}, True, False),
    ],
)
def test_a_plan_decides_about_the_workspace_and_any_good_one_about_the_organization(
    plans: dict[str, str], own: bool, organization: bool
) -> None:
    for revision, wanted in ((OWN, own), (ALL, organization)):
        assert known(**plans).entitled(revision) is wanted
        assert in_line(revision, known(**plans)).entitled is wanted
        assert in_line(replace(revision, entitled=not wanted), known(**plans)).entitled is wanted
    deleted = replace(OWN, state="deleted")
    assert in_line(deleted, known(**plans)) is deleted


def test_nothing_is_decided_by_what_cannot_be_read() -> None:
    """An older console must not start or stop what a newer one has judged."""
    doubt = replace(known(ws_2="free"), unreadable=["ws_1"])
    for revision in (OWN, ALL, replace(OWN, entitled=False), replace(ALL, entitled=False)):
        assert in_line(revision, doubt) is revision
        with pytest.raises(Unknowable, match="cannot be read"):
            check_entitled(revision, doubt)
    assert replace(known(ws_2="enterprise"), unreadable=["ws_1"]).entitled(ALL)


def test_who_is_refused_learns_the_plan_and_who_can_change_it() -> None:
    record = said(plan="Free", owners=["ada@example.com"])
    with pytest.raises(NotEntitled) as refused:
        check_entitled(OWN, Known({"ws_1": record}))
    sentence = str(refused.value)
    assert "ws_1 is on the plan free, which does not forward audit events: its owners (ada@example.com)" in sentence
    assert "'auditcast workspaces set ws_1 --plan PLAN'" in sentence
    with pytest.raises(NotEntitled, match="only free and pro"):
        check_entitled(ALL, known(ws_1="free", ws_2="pro"))
    check_entitled(OWN, known())


def test_saying_the_same_again_is_no_change_and_since_is_when_the_judgement_changed() -> None:
    first = described(None, "ws_1", Said(name="Acme", plan="free", owners=["a@x.com"]), PLANS, 1_000)
    assert (first.entitled, first.since) == (False, 1_000)
    assert described(first, "ws_1", Said(plan="FREE", owners=["a@x.com"]), PLANS, 2_000) is first
    renamed = described(first, "ws_1", Said(name="", no_owners=["A@X.com"]), PLANS, 2_000)
    assert (renamed.name, renamed.owners, renamed.since) == ("", [], 1_000)
    upgraded = described(renamed, "ws_1", Said(plan="enterprise"), PLANS, 3_000)
    assert (upgraded.entitled, upgraded.since) == (True, 3_000)
    assert judged(upgraded, ["enterprise", "free"], 4_000) is upgraded
    assert judged(upgraded, ["business"], 4_000) == replace(upgraded, entitled=False, since=4_000)
    with pytest.raises(InvalidWorkspace):
        described(None, "", Said(name="a"), PLANS, 0)


def test_there_is_room_for_so_many_that_live() -> None:
    others = [replace(OWN, destination=f"dst_{n}", state=state) for n, state in enumerate(("active", "deleted"), 5)]
    others += [replace(OWN, destination="dst_9", workspace="ws_2"), ALL]
    check_room(OWN, others, 2)
    check_room(OWN, [*others, OWN], 2)
    check_room(OWN, others, 0)
    with pytest.raises(NoRoom, match="workspace ws_1 has 1 destinations, and may have 1"):
        check_room(OWN, others, 1)
