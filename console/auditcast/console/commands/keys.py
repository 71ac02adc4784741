"""`auditcast keys`: the keys that seal secrets and header values."""

import click

from auditcast.schemas.sealing import new_key


@click.group("keys")
def command() -> None:
    """Make sealing keys."""


@command.command("new")
def new() -> None:
    """Print a fresh key for AUDITCAST_SEALING_KEYS.

    To rotate, put the new key first in the list and keep the older ones behind it: the first seals, all of them open.
    """
    click.echo(new_key())
