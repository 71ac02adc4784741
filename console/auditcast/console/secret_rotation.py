"""`auditcast destinations rotate-secret`: give a destination a new secret, and its receiver time to learn of it."""

import os
import secrets
import time
from typing import Any

import click

from auditcast.console import overlap, telling
from auditcast.console.moments import duration
from auditcast.console.options import json_option
from auditcast.console.registry import Registry
from auditcast.console.sealed import SECRET_BYTES, secret_text
from auditcast.console.settings import Destinations
from auditcast.console.showing import as_json, destination_shape
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.keyrings import sealer_of
from auditcast.kafka.settings import read
from auditcast.schemas.records import Revision

OVERLAP_MS = 86_400_000
"""How long both secrets count unless somebody says otherwise."""

MOST_MS = 30 * 86_400_000
"""How long two secrets may count: longer is no rotation."""


class Overlap(click.ParamType):
    """A length of time, in ms."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """What `value` says; raises `NoMoment`, and a misuse of the command if it is too long."""
        length = duration(value)
        if length > MOST_MS:
            self.fail(f"{value} is too long: give at most 30d", param, ctx)
        return length


@click.command("rotate-secret")
@click.argument("id_", metavar="ID")
@click.option(
    "--overlap",
    "length",
    type=Overlap(),
    show_default="24h",
    help="How long the old secret still counts, as in 90m, 24h or 7d; 0s if it must not.",
)
@click.option("--finish", is_flag=True, help="End a rotation now: only the new secret counts.")
@click.option("--cancel", is_flag=True, help="Undo a rotation that has not ended: only the old secret counts.")
@json_option
def rotate_secret(*, id_: str, length: int | None, finish: bool, cancel: bool, json_: bool) -> None:
    """Replace the secret that signs deliveries, and print the new one, this once.

    Until the overlap ends both secrets sign, so that the receiver can be given the new one at any time in between.
    """
    if finish and cancel:
        raise click.UsageError("Either --finish or --cancel: the one keeps the new secret, the other the old one.")
    if length is not None and (finish or cancel):
        raise click.UsageError("--overlap is for a rotation that begins: leave it out with --finish and --cancel.")
    settings = read(Destinations, os.environ)
    sealer, now = sealer_of(settings.sealing_keys), time.time_ns() // 1_000_000
    lasts = OVERLAP_MS if length is None else length
    secret = None if finish or cancel else secret_text(secrets.token_bytes(SECRET_BYTES))

    def changed(revision: Revision) -> Revision:
        if secret is not None:
            return overlap.begun(revision, secret, now=now, overlap=lasts, sealer=sealer)
        return overlap.finished(revision, sealer) if finish else overlap.cancelled(revision, now, sealer)

    with Registry(settings.connection) as registry:
        found = registry.get(id_)
        undone = cancel and overlap.under_way(found, now)
        try:
            done = registry.change(id_, lambda newest: changed(newest or registry.get(id_)))
        except BrokerUnavailable:
            if secret is not None:  # it may be in force, and nobody could ever learn of it
                click.echo(telling.perhaps_rotating(id_, secret), err=json_)
            raise
    if json_:
        shape = {"changed": done.written, "destination": destination_shape(done.revision), "secret": secret}
        click.echo(as_json(shape))
    elif secret is not None:
        click.echo(telling.rotating(done.revision, secret))
    elif not done.written:
        click.echo(telling.not_rotating(done.revision))
    else:
        click.echo((telling.rotation_undone if undone else telling.rotated)(done.revision))
