"""The catalogue: what the product promises is in it, and a wrong name or file is answered with one helpful sentence."""

from pathlib import Path

import pytest

from auditcast.schemas.catalogue import Catalogue, Entry
from auditcast.schemas.errors import Misconfigured, UnknownAction

PROMISED = """
workspace: created updated deleted renamed slug_changed logo_updated settings_changed
team_member: invited removed role_changed
github: repository_imported repository_removed
permission: assigned removed default_created default_removed
schedule: created updated deleted
workflow: dispatched completed failed
pull_request: opened updated merged
release: created
instance: drift_status_updated
lock: created deleted
auth: oidc_token_exchange_success oidc_token_exchange_failure
"""


def test_every_promised_action_is_known_and_described() -> None:
    builtin = Catalogue.builtin()
    for line in PROMISED.strip().splitlines():
        category, _, actions = line.partition(": ")
        for action in actions.split():
            builtin.check(category, action)
    categories = {entry.category for entry in builtin}
    assert categories == {line.partition(":")[0] for line in PROMISED.strip().splitlines()} | {"billing", "entitlement"}
    assert all(entry.description for entry in builtin)
    assert len(builtin) == len(list(builtin))


@pytest.mark.parametrize(
    ("category", "action", "sentence"),
    [
        ("Workspace", "created", "category: 'Workspace' is unknown, did you mean workspace?"),
        ("workspaces", "x", "category: 'workspaces' is unknown, did you mean workspace?"),
        ("workspace", "create", "action: 'create' is unknown in workspace, did you mean created or renamed?"),
        ("lock", "zzz", "action: 'zzz' is unknown in lock, known are created, deleted"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(category: str, action: str, sentence: str) -> None:
    with pytest.raises(UnknownAction) as refusal:
        Catalogue.builtin().check(category, action)
    assert str(refusal.value) == sentence
    assert refusal.value.field == sentence.partition(":")[0]


def test_a_category_without_a_neighbour_is_answered_with_all_of_them() -> None:
    with pytest.raises(UnknownAction, match=r"known are workspace, team_member, .*, entitlement$"):
        Catalogue.builtin().check("qqqq", "created")


def test_a_platform_adds_categories_and_actions(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('[vault]\nopened = "A vault was opened"\n[lock]\nbroken = "A lock was broken"\n')
    merged = Catalogue.with_file(own)
    merged.check("vault", "opened")
    merged.check("lock", "broken")
    merged.check("lock", "created")
    assert Entry("vault", "opened", "A vault was opened") in list(merged)
    with pytest.raises(UnknownAction):
        Catalogue.builtin().check("vault", "opened")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"[vault", "is not valid TOML: Expected"),
        (b"\xff", "is not valid TOML"),
        (b'vault = "opened"', "vault is no category: write [vault]"),
        (b"[vault]", "vault is no category"),
        (b"[Vault]\nopened='x'", "'Vault' is no name: use lower-case letters"),
        (b"[vault]\n'op.ened'='x'", "'op.ened' is no name"),
        (b"[vault]\nopened=3", "vault.opened must be described by one line"),
        (b"[vault]\nopened=''", "vault.opened must be described by one line"),
        (b"[workspace]\ncreated='x'", "workspace.created is built in already"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(tmp_path: Path, content: bytes, problem: str) -> None:
    own = tmp_path / "own.toml"
    own.write_bytes(content)
    with pytest.raises(Misconfigured) as refusal:
        Catalogue.with_file(own)
    assert str(refusal.value).startswith(f"{own}: {problem}")
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_one_sentence_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"none\.toml: cannot be read: No such file or directory$"):
        Catalogue.with_file(tmp_path / "none.toml")
