"""docs/formats.md tells of every format what the code says."""

import re
from pathlib import Path

from auditcast.schemas.formats import FORMATS, NEWEST

PAGE = (Path(__file__).parents[3] / "docs" / "formats.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table below `heading`, without its own two lines."""
    section = PAGE[PAGE.index(heading) :].split("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def names(cell: str) -> list[str]:
    return re.findall("`([^`]+)`", cell)


def test_every_format_has_its_row() -> None:
    told = {names(row[0])[0]: row[2:5] for row in rows("# Formats")}
    assert told == {
        name: [
            ", ".join(f"`{header.name}`" for header in form.required_headers),
            "yes" if form.gzip else "no",
            "sealed" if form.secret_url else "shown",
        ]
        for name, form in FORMATS.items()
    }


def test_every_option_has_its_row() -> None:
    told = [tuple("".join(names(cell)) for cell in row[:3]) for row in rows("## Options")]
    options = {family: FORMATS[name].options for family, name in NEWEST.items()}
    assert sorted(told) == sorted(
        (family, option.name, option.default) for family, found in options.items() for option in found
    )
    assert f"`{'`, `'.join(family for family, found in options.items() if not found)}` has none" in PAGE


def test_every_format_says_where_an_event_has_its_place() -> None:
    told = {name.partition("/")[0] for row in rows("## Where an event says its place") for name in names(row[0])}
    assert set(NEWEST) <= told
