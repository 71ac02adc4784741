"""Filters and redaction as a person gives them: what cannot work is refused, what is likely a slip is hinted at."""

import pytest

from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.filters import (
    MAX_GLOBS,
    checked_actions,
    checked_categories,
    checked_outcome,
    checked_redaction,
    covers,
    hints,
)


def test_patterns_have_one_order_and_stand_once() -> None:
    assert checked_categories(["team_*", "auth", "team_*"]) == ["auth", "team_*"]
    assert checked_actions(["*.created", "auth.*", "*", "team_*"]) == ["*", "*.created", "auth.*", "team_*"]


@pytest.mark.parametrize("globs", [[""], [" auth"], ["a\nb"], ["a" * 257], [f"c{n}" for n in range(MAX_GLOBS + 1)]])
def test_what_is_no_pattern_is_refused(globs: list[str]) -> None:
    with pytest.raises(InvalidDestination) as caught:
        checked_categories(globs)
    assert str(caught.value).isprintable()


def test_an_action_without_its_category_could_never_match() -> None:
    with pytest.raises(InvalidDestination, match="'created' lacks its category"):
        checked_actions(["auth.*", "created"])


def test_an_outcome_is_one_of_two_or_any() -> None:
    assert [checked_outcome(text) for text in ("", "failure", "success")] == ["", "failure", "success"]
    with pytest.raises(InvalidDestination, match="'fail' is none of success, failure"):
        checked_outcome("fail")


@pytest.mark.parametrize(
    ("categories", "actions", "hint"),
    [
        (["auth", "team_*"], ["*.invited", "auth.*"], None),
        (["teem_member"], [], "no category that is known here matches 'teem_member': did you mean team_member?"),
        (["qq*"], [], "no category that is known here matches 'qq*'"),
        ([], ["team_member.invite"], "no action that is known here matches 'team_member.invite': did you mean team_me"),
        (["billing"], ["auth.*"], "matches both a --category and an --action"),
    ],
)
def test_a_pattern_that_nothing_known_matches_is_hinted_at(
    categories: list[str], actions: list[str], hint: str | None
) -> None:
    found = hints(categories, actions, Catalogue.builtin())
    assert (hint is None and not found) or (len(found) == 1 and hint is not None and hint in found[0])


def test_fields_have_one_order_and_stand_once() -> None:
    dropped, hashed = checked_redaction(["metadata.a.b", "client.ip", "client.ip"], ["target.id", "actor.email"])
    assert (dropped, hashed) == (["client.ip", "metadata.a.b"], ["actor.email", "target.id"])


@pytest.mark.parametrize(
    ("dropped", "hashed", "sentence"),
    [
        (["actor.emial"], [], "'actor.emial' is no such field: did you mean actor.email?"),
        (["time"], [], "is no such field"),
        (["metadata."], [], "is no such field"),
        (["metadata.a\nb"], [], "is no such field"),
        (["actor.id"], [], "actor.id can only be hashed: use --hash"),
        ([], ["description"], "description can only be left out: use --drop"),
        (["client.ip"], ["client.ip"], "client.ip cannot be hashed while client.ip is left out"),
        (["target"], ["target.id"], "target.id cannot be hashed while target is left out"),
        (["metadata"], ["metadata.a.b"], "cannot be hashed while metadata is left out"),
        ([f"metadata.{n}" for n in range(51)], [], "at most 50"),
    ],
)
def test_what_cannot_be_redacted_is_refused_with_a_way_out(
    dropped: list[str], hashed: list[str], sentence: str
) -> None:
    with pytest.raises(InvalidDestination) as caught:
        checked_redaction(dropped, hashed)
    assert sentence in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_field_covers_itself_and_its_parts() -> None:
    assert covers("target", "target.id")
    assert covers("target", "target")
    assert not covers("target.id", "target")
    assert not covers("targ", "target")
