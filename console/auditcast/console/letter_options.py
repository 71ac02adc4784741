"""The options by which a person says which dead letters are meant."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any

import click

from auditcast.console.letters import Filters
from auditcast.console.moments import NoMoment, moment

Command = Callable[..., None]


class When(click.ParamType):
    """A time, as text or as an age, in ms."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """What `value` says; a misuse of the command if that is nothing."""
        try:
            return moment(value, time.time_ns() // 1_000_000)
        except NoMoment as wrong:
            self.fail(str(wrong), param, ctx)


class Numbers(click.ParamType):
    """A sequence number, or two and what lies between them."""

    name = "A-B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The first and the last of `value`; a misuse of the command if it is something else."""
        found = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", value)
        if found is None or int(found[1]) > int(found[2] or found[1]):
            self.fail(f"{value[:40]!r} must be a number as in 17, or two as in 17-20", param, ctx)
        return int(found[1]), int(found[2] or found[1])


def filter_options(command: Command) -> Command:
    """The options that say which letters are meant; `filters` takes what they give."""
    options = [
        click.option("--destination", metavar="ID", help="Only what this destination is owed."),
        click.option("--workspace", metavar="ID", help="Only what belongs to this workspace."),
        click.option("--reason", metavar="NAME", help="Only what failed for this reason, as in status-503."),
        click.option(
            "--since", type=When(), help="Only what failed from then on: 2025-01-15T10:30Z, or an age: 2h, 3d."
        ),
        click.option("--until", type=When(), help="Only what failed before then."),
        click.option("--sequence", type=Numbers(), help="Only batches with these numbers in their streams."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def filters(keys: tuple[str, ...] = (), **given: Any) -> Filters:
    """What was given."""
    return Filters(keys=keys, **given)


def deliberate(keys: tuple[str, ...], given: Mapping[str, Any], *, all_: bool) -> Filters:
    """The same for a command that acts: all letters are meant only where that is said."""
    if not (keys or all_ or any(value is not None for value in given.values())):
        raise click.UsageError("Say which letters: KEYs, options as of 'dead-letters list', or --all.")
    return filters(keys, **given)
