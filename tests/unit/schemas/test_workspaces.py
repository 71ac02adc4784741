"""What may be said of a workspace, and which plans forward its events."""

from collections.abc import Callable

import pytest

from auditcast.schemas.errors import InvalidWorkspace
from auditcast.schemas.workspaces import (
    checked_name,
    checked_organization,
    checked_owners,
    checked_plan,
    checked_slug,
    checked_url,
    checked_workspace,
    forwards,
    is_link,
)


@pytest.mark.parametrize(
    ("check", "text", "field"),
    [
        (checked_workspace, "", "id"),
        (checked_workspace, " ws", "id"),
        (checked_workspace, "w" * 257, "id"),
        (checked_organization, "o\n", "organization"),
        (checked_name, "n" * 101, "name"),
        (checked_name, "a\u202eb", "name"),
        (checked_slug, "-a", "slug"),
        (checked_slug, "a b", "slug"),
        (checked_slug, "s" * 65, "slug"),
        (checked_plan, "a,b", "plan"),
        (checked_plan, "p" * 65, "plan"),
        (checked_url, "http://platform.example", "url"),
        (checked_url, "https://", "url"),
        (checked_url, 'https://a.example/"onclick=', "url"),
        (checked_url, "https://a.example/<b>", "url"),
        (checked_url, "https://a.example/a b", "url"),
        (checked_url, "https://good.example@evil.example/", "url"),
        (checked_url, "https://a.example/\u202e", "url"),
        (checked_url, "https://a.example/" + "a" * 2048, "url"),
        (checked_url, "javascript:alert(1)//https://a.example", "url"),
    ],
)
def test_what_is_refused_names_its_field(check: Callable[[str], object], text: str, field: str) -> None:
    with pytest.raises(InvalidWorkspace) as refused:
        check(text)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")


def test_values_are_kept_in_one_form_and_an_empty_text_is_none() -> None:
    assert checked_plan(" Enterprise ") == "enterprise"
    assert checked_name(" Zürich ☃ ") == "Zürich ☃"
    assert checked_url("https://platform.example:8443/w/acme?tab=audit#top") == (
        "https://platform.example:8443/w/acme?tab=audit#top"
    )
    assert (checked_plan(""), checked_slug(""), checked_url(""), checked_organization("")) == ("", "", "", None)
    assert not is_link("")
    assert checked_owners(["ada@Example.com", "ada@example.com"]) == ["ada@example.com"]
    with pytest.raises(InvalidWorkspace, match="owner: 'nobody' is no email address"):
        checked_owners(["nobody"])


def test_a_plan_forwards_if_it_is_among_those_that_do_and_having_none_does() -> None:
    assert forwards("enterprise", ["Enterprise ", "business"])
    assert forwards("", ["enterprise"])
    assert not forwards("free", ["enterprise"])
