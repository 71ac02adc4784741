"""The guards of the repository's layout: one namespace over several folders, typed, and pinned."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = [ROOT / folder for folder in PROJECT["tool"]["hatch"]["build"]["dev-mode-dirs"]]
MODULES = sorted(module for folder in FOLDERS for module in folder.rglob("*.py"))


def named(requirement: str) -> str:
    """A distribution's name as indexes normalise it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_folder_adds_one_typed_package_to_the_namespace(folder: Path) -> None:
    # An __init__.py here would hide the other folders' packages.
    assert not (folder / "auditcast" / "__init__.py").exists()
    assert [entry.name for entry in folder.iterdir() if entry.name != "__pycache__"] == ["auditcast"]
    assert (folder / "auditcast" / folder.name / "py.typed").is_file()
    assert (folder / "auditcast" / folder.name / "__init__.py").is_file()


def test_every_silenced_rule_has_its_reason_beside_it() -> None:
    silenced = re.compile(r"#\s*(noqa|type: ignore)\b")
    reasoned = re.compile(r"#\s*(noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\])\s+(\(.+\)|#.+)$")
    bare = [
        f"{module.relative_to(ROOT)}:{number}"
        for module in [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]
        for number, line in enumerate(module.read_text().splitlines(), 1)
        if silenced.search(line) and not reasoned.search(line) and module != Path(__file__)
    ]
    assert bare == []


def test_the_pinned_requirements_cover_all_dependencies_and_name_no_host() -> None:
    pinned = (ROOT / "requirements.txt").read_text()
    wanted = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["demo"],
        *PROJECT["dependency-groups"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    missing = {named(each) for each in wanted} - set(re.findall(r"^([a-z0-9-]+)==", pinned, re.MULTILINE))
    assert missing == set()
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host", pinned)
