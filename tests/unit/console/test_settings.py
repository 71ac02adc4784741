"""Every setting of every component is found, described, and stands in docs/settings.md."""

from pathlib import Path

import msgspec

from auditcast.console.commands.settings import markdown
from auditcast.console.variables import components, misspelled, variables

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def test_every_setting_is_described_and_the_same_in_every_component() -> None:
    seen: dict[str, tuple[object, object]] = {}
    for component, kinds in components().items():
        for kind in kinds:
            for field in msgspec.structs.fields(kind):
                same = seen.setdefault(field.name, (field.type, field.default))
                assert same == (field.type, field.default), f"{component} has another {field.name}"
    assert [each.name for each in variables() if not each.meaning] == []


def test_the_page_lists_them_all() -> None:
    assert PAGE.read_text() == markdown(variables()), "run: auditcast settings --markdown > docs/settings.md"


def test_a_misspelled_variable_is_told() -> None:
    environ = {"AUDITCAST_BOOTSTRAP_SERVER": "x", "AUDITCAST_TEST_BROKER": "apache", "AUDITCAST_TOPIC_PREFIX": "a"}
    assert misspelled(environ) == [
        "AUDITCAST_BOOTSTRAP_SERVER is no setting: did you mean AUDITCAST_BOOTSTRAP_SERVERS?"
    ]
