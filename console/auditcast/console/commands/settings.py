"""`auditcast settings`: every environment variable, what it means, and what it is when not set."""

import click
import msgspec
from rich.table import Table

from auditcast.console.tables import render
from auditcast.console.variables import Variable, variables

HEAD = ("Variable", "Type", "Default", "Used by", "Meaning")

INTRODUCTION = """\
# Settings

All settings are environment variables, read once at the start of a command; a wrong one ends it with a sentence that
names the variable. Lists are separated by commas. This page is what `auditcast settings --markdown` prints.
"""


@click.command("settings")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list of {name, type, default, used_by, meaning}.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print the page docs/settings.md.")
def command(*, as_json: bool, as_markdown: bool) -> None:
    """List every setting of every component: type, default, meaning."""
    found = variables()
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    elif as_markdown:
        click.echo(markdown(found), nl=False)
    else:
        click.echo(render(_table(found)), nl=False)


def _table(found: list[Variable]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in HEAD:
        table.add_column(title, no_wrap=title == HEAD[0], overflow="fold")
    for each in found:
        table.add_row(*_cells(each))
    return table


def markdown(found: list[Variable]) -> str:
    """The page docs/settings.md."""
    rows = [HEAD, ("---",) * len(HEAD)]
    for each in found:
        name, kind, default, used_by, meaning = _cells(each)
        rows.append((f"`{name}`", kind, f"`{default}`" if each.default else default, used_by, meaning))
    table = "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)
    return f"{INTRODUCTION}\n{table}"


def _cells(each: Variable) -> tuple[str, str, str, str, str]:
    default = "must be set" if each.default is None else each.default or "empty"
    return each.name, each.type, default, ", ".join(each.used_by), each.meaning.rstrip(".")
