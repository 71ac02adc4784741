"""What the pages name is there: files, headings, settings, commands, lines of the log."""

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from auditcast.console.__main__ import auditcast

ROOT = Path(__file__).parents[3]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
OPERATING = (ROOT / "docs" / "operating.md").read_text()
SOURCES = "".join(
    module.read_text() for folder in ("processors", "deliverers") for module in sorted((ROOT / folder).rglob("*.py"))
)


def anchors(page: Path) -> set[str]:
    """The fragments of a page's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not fragment or fragment in anchors(target), f"{page.name} links to {link}"


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in auditcast.list_commands(click.Context(auditcast)):
        assert f"`auditcast {name}" in readme


def test_every_setting_that_a_page_names_exists() -> None:
    listed = set(re.findall(r"`(\w+)`", CliRunner().invoke(auditcast, ["settings", "--markdown"]).output))
    for page in PAGES:
        for name in re.findall(r"\bAUDITCAST_[A-Z_]+[A-Z]\b", page.read_text()):
            assert name in listed | {"AUDITCAST_TEST_BROKER"}, f"{page.name} names {name}"


def test_the_operators_page_has_every_line_that_workers_log() -> None:
    logged = re.findall(r'log\.\w+\(\s*"([a-z]+\.[a-z_]+)[ "]', SOURCES)
    assert logged
    explained = OPERATING[OPERATING.index("## What to watch") : OPERATING.index("## What is lost when")]
    assert set(re.findall(r"`((?!audit\.)[a-z]+\.[a-z_]+)`", explained)) == set(logged)


def test_the_architecture_page_has_every_file_of_the_workers() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    tables = dict(re.findall(r"^`((?:processors|deliverers)/\S+)`:\n\n((?:\|.*\n)+)", page, re.MULTILINE))
    folders = {module.parent for stage in ("processors", "deliverers") for module in (ROOT / stage).rglob("[a-z]*.py")}
    assert {ROOT / folder for folder in tables} == folders
    for folder, table in tables.items():
        modules = {module.name for module in (ROOT / folder).glob("[a-z]*.py")}
        assert set(re.findall(r"`([a-z_]+\.py)`", table)) == modules
