"""Options in sections, for a command that has so many that one list of them is a wall."""

from typing import Any

import click


class SectionedOption(click.Option):
    """An option that `--help` lists under a title of its own."""

    def __init__(self, *args: Any, section: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.section = section


class SectionedCommand(click.Command):
    """Lists its sections in the order of their first options, and what is in none at the end."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options into `formatter`."""
        sections: dict[str, list[tuple[str, str]]] = {}
        plain: list[tuple[str, str]] = []
        for option in self.get_params(ctx):
            record = option.get_help_record(ctx)
            if record is not None:
                listed = sections.setdefault(option.section, []) if isinstance(option, SectionedOption) else plain
                listed.append(record)
        for title, records in (*sections.items(), ("Options", plain)):
            with formatter.section(title):
                formatter.write_dl(records)
