"""The options by which a person gives a destination's settings, and what they and the environment amount to."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from auditcast.console.headers import given_headers
from auditcast.console.revisions import Choices, Rules
from auditcast.console.settings import Destinations
from auditcast.kafka.settings import read
from auditcast.schemas.networks import networks
from auditcast.schemas.sealing import Sealer

Command = Callable[..., None]

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON, for scripts.")


def setting_options(command: Command) -> Command:
    """The options that `add` and `edit` share; `choices` takes what they give."""
    options = [
        click.option("--description", help="What people call it."),
        click.option("--format", help="The payload's format; cloudevents unless set."),
        click.option("--window-events", type=int, help="Deliver after this many events, 1 to 100."),
        click.option("--window-seconds", type=int, help="Deliver after this many seconds, 1 to 30."),
        click.option("--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header as well."),
        click.option(
            "--header-from-env", "from_env", multiple=True, metavar="NAME=VARIABLE",
            help="The same, its value from an environment variable.",
        ),
        click.option(
            "--header-file", "files", multiple=True, type=click.Path(path_type=Path),
            help="The same, from a file of lines 'Name: value'.",
        ),
        click.option("--alert-to", multiple=True, metavar="EMAIL", help="Tell this address when deliveries fail."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def choices(
    *, headers: tuple[str, ...], from_env: tuple[str, ...], files: tuple[Path, ...], without: tuple[str, ...] = (),
    **plain: Any,
) -> Choices:  # fmt: skip
    """What was given, where None means not given; raises `InvalidDestination`."""
    given = {name: value for name, value in plain.items() if value is not None}
    return Choices(headers=tuple(given_headers(headers, from_env, files, os.environ)), without=without, **given)


def rules() -> Rules:
    """What the operator set in the environment; raises `Misconfigured`."""
    settings = read(Destinations, os.environ)
    return Rules(
        sealer=Sealer([key.reveal() for key in settings.sealing_keys]),
        allowed=networks(settings.allowed_networks),
        base_url=settings.base_url,
        type_prefix=settings.type_prefix,
    )
