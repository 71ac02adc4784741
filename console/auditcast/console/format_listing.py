"""`auditcast destinations formats`: what intakes are known, and what each of them asks for."""

import shlex
from collections.abc import Iterable, Iterator
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text

from auditcast.console.options import json_option
from auditcast.console.showing import as_json
from auditcast.console.tables import render
from auditcast.schemas.destinations import family_of, known_format, most_bytes, most_events, newest_format
from auditcast.schemas.formats import FORMATS, NEWEST
from auditcast.schemas.formats.base import Format


@click.command("formats")
@click.argument("name", required=False)
@json_option
def formats(*, name: str | None, json_: bool) -> None:
    """List the payload formats with their options and what they require, or one of them by NAME."""
    names = sorted(NEWEST.values()) if name is None else [newest_format(name)]
    found = [known_format(each) for each in names]
    if json_:
        click.echo(as_json([format_shape(form) for form in found]))
    else:
        click.echo(render(Group(*_cards(found))), nl=False)


def format_shape(form: Format) -> dict[str, Any]:
    """A format as JSON has it."""
    return {
        "name": form.name,
        "title": form.title,
        "versions": [each for each in FORMATS if family_of(each) == family_of(form.name)],
        "most_events": most_events(form),
        "most_bytes": most_bytes(form),
        "gzip": form.gzip,
        "secret_url": form.secret_url,
        "required_headers": [{"name": header.name, "example": header.example} for header in form.required_headers],
        "options": [
            {
                "name": option.name,
                "description": option.description,
                "default": option.default,
                "pattern": option.pattern,
                "example": option.example,
            }
            for option in form.options
        ],
    }


def _cards(found: Iterable[Format]) -> Iterator[Table | Text]:
    for number, form in enumerate(found):
        if number:
            yield Text()
        yield Text(form.name, "bold").append(f"  {form.title}", "default")
        lines = Table.grid(padding=(0, 2))
        lines.add_column(no_wrap=True)
        lines.add_column(overflow="fold")
        for title, value in _lines(form):
            lines.add_row(f"  {title}", value)
        yield lines


def _lines(form: Format) -> Iterator[tuple[str, str]]:
    packed = "plain or gzip" if form.gzip else "not packed"
    yield "Batches", f"at most {most_events(form)} events and {most_bytes(form) // 1000} kB, {packed}"
    if form.secret_url:
        yield "URL", "is a credential: it is sealed, and only its host is shown"
    for header in form.required_headers:
        yield "Header", f"--header '{header.example}'"
    for option in form.options:
        default = f"{option.default} unless set" if option.default else "empty unless set"
        given = shlex.quote(f"{option.name}={option.example}")
        yield "Option", f"--option {given}: {option.description}; {default}"
