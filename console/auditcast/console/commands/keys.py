"""`auditcast keys`: the keys that seal secrets and header values."""

import click

from auditcast.schemas.sealing import new_key


@click.group("keys")
def command() -> None:
    """Make sealing keys."""


@command.command("new")
def new() -> None:
    """Print a fresh key for AUDITCAST_SEALING_KEYS.

    The first key of the list seals, all of them open. To rotate, append the new key for every process, and only once
    all run with it put it first: a process that lacks a key cannot open what another has sealed with it.
    """
    click.echo(new_key())
