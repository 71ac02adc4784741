"""`auditcast destinations`: where audit events are delivered to, for workspace admins and their scripts."""

import base64
import os
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

import click

from auditcast.console import entitling, options, revisions, sealed, telling
from auditcast.console.amounts import SECONDS
from auditcast.console.arriving import (
    Arrival,
    arrival_lines,
    arrival_options,
    arrival_shape,
    arrive,
    in_force,
    reach_shape,
    reach_text,
    wish,
)
from auditcast.console.backfilling import backfill
from auditcast.console.cards import card, table
from auditcast.console.choices import Choices
from auditcast.console.format_listing import formats
from auditcast.console.options import json_option, removing_options, setting_options
from auditcast.console.registry import Registry
from auditcast.console.secret_rotation import rotate_secret
from auditcast.console.sections import SectionedCommand
from auditcast.console.settings import Destinations, Limits
from auditcast.console.showing import as_json, destination_shape, outcome, result_shape, status_shape
from auditcast.console.statuses import LeftOut, left_out, statuses
from auditcast.console.tables import render
from auditcast.console.trial import try_out
from auditcast.console.unentitled import missed, unentitled, unentitled_shape
from auditcast.kafka.keyrings import sealer_of
from auditcast.kafka.settings import Connection, read
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer


@click.group("destinations")
def command() -> None:
    """Say where audit events are delivered to, which of them, and how.

    Secrets, header values and secret URLs are sealed as they come in, and never shown again.
    """


for _other in (backfill, formats, rotate_secret):
    command.add_command(_other)


@command.command("add", cls=SectionedCommand)
@options.option(options.WHAT, "--workspace", help="The events of this workspace.")
@options.option(options.WHAT, "--organization", help="The events of all workspaces of this organization.")
@setting_options
@click.option("--disabled", is_flag=True, help="Collect nothing until it is enabled.")
@click.option("--id", "id_", help="An id of your own; repeating the command with it does no harm.")
@arrival_options
@json_option
def add(  # noqa: PLR0913  (each is one option)
    *,
    workspace: str | None,
    organization: str | None,
    disabled: bool,
    id_: str | None,
    wait: bool,
    since: str | None,
    timeout: float,
    json_: bool,
    **given: Any,
) -> None:
    """Add a destination, and print its secret, this once.

    An intake may ask for headers or options of its own: see 'auditcast destinations formats'.
    """
    wished = wish(wait=wait, since=since, timeout=timeout, disabled=disabled)
    rules = options.rules()
    choices = options.choices(**given)
    secret = sealed.secret_text(secrets.token_bytes(sealed.SECRET_BYTES))
    wanted = revisions.created(
        id_ if id_ is not None else _new_id(),
        workspace=workspace,
        organization=organization,
        choices=choices,
        rules=rules,
        secret=secret,
        epoch=secrets.token_hex(8),
        state="disabled" if disabled else "active",
    )
    _warn(options.doubts(choices))
    with _registry() as registry:
        limit = read(Limits, os.environ).destinations_per_workspace
        now = entitling.added(registry, wanted, lambda held: revisions.same_as(held, wanted, choices, rules), limit)
    ours = now.secret == wanted.secret  # else another console added it, at any time before
    if not json_:
        click.echo(telling.added(now, secret if ours else None))
    arrival = Arrival()
    try:
        arrive(now, wished, arrival)
    finally:  # the secret is shown whatever failed: it is never shown again
        if json_:
            shape = {"changed": ours, "destination": destination_shape(now), "secret": secret if ours else None}
            click.echo(as_json(shape | arrival_shape(wished, arrival)))
        else:
            for line in arrival_lines(arrival):
                click.echo(line)


@command.command("list")
@click.option("--workspace", help="Only those of this workspace.")
@click.option("--organization", help="Only those of this organization.")
@click.option("--all", "all_", is_flag=True, help="Deleted ones, too.")
@json_option
def list_(*, workspace: str | None, organization: str | None, all_: bool, json_: bool) -> None:
    """List destinations, and how they fare."""
    connection = read(Connection, os.environ)
    with Registry(connection) as registry:
        found = [
            revision
            for revision in registry.all()
            if (all_ or revision.state != "deleted")
            and workspace in (None, revision.workspace)
            and organization in (None, revision.organization)
        ]
    for broken in sorted(registry.unreadable):
        click.echo(f"auditcast: the record of {broken!r} cannot be read: see who wrote it, or upgrade", err=True)
    if json_:
        click.echo(as_json(_with_status(connection, found)))
    elif found:
        click.echo(render(table(found, statuses(connection), _now(), _remarks(connection, found))), nl=False)
    elif workspace is not None or organization is not None:
        click.echo("There are no such destinations: 'auditcast destinations list' has those of everybody.")
    else:
        click.echo("There are no destinations here: add one with 'auditcast destinations add'.")


@command.command("show")
@click.argument("id_", metavar="ID")
@json_option
def show(*, id_: str, json_: bool) -> None:
    """Show one destination and how it fares, header values and secret left out."""
    connection = read(Connection, os.environ)
    with Registry(connection) as registry:
        found = registry.get(id_)
    if json_:
        [shape] = _with_status(connection, [found])
        click.echo(as_json(shape | {"in_force": reach_shape(in_force(connection, found))}))
    else:
        fared, counted = statuses(connection), left_out(connection, [found])
        remark = str(unentitled(connection, [found]).get(id_, ""))
        lines = card(found, fared.get(id_), counted.get(id_, LeftOut()), _now(), remark)
        lines.add_row("In force", reach_text(in_force(connection, found)))
        click.echo(render(lines), nl=False)


@command.command("edit", cls=SectionedCommand)
@click.argument("id_", metavar="ID")
@setting_options
@removing_options
@json_option
def edit(*, id_: str, json_: bool, **given: Any) -> None:
    """Change what is given, and leave the rest as it is.

    --category, --action and --outcome take the place of what was there before; --drop and --hash come on top of it.
    """
    choices = options.choices(**given)
    if choices == Choices():
        raise click.UsageError("Nothing to change was given: see 'auditcast destinations edit --help'.")
    rules = options.rules()
    _warn(options.doubts(choices))
    _apply(id_, lambda revision: revisions.edited(revision, choices, rules), telling.edited, json_=json_)


@command.command("enable")
@click.argument("id_", metavar="ID")
@json_option
def enable(*, id_: str, json_: bool) -> None:
    """Collect events from now on, and deliver them unless it is paused."""
    _apply(id_, entitling.enabling(read(Connection, os.environ)), telling.enabled, json_=json_)


@command.command("disable")
@click.argument("id_", metavar="ID")
@json_option
def disable(*, id_: str, json_: bool) -> None:
    """Collect nothing from now on, only count; what was collected before is still delivered."""
    _apply(id_, revisions.disabled, telling.disabled, json_=json_)


@command.command("pause")
@click.argument("id_", metavar="ID")
@json_option
def pause(*, id_: str, json_: bool) -> None:
    """Deliver nothing from now on; events are still collected, and wait."""
    _apply(id_, revisions.paused, telling.paused, json_=json_)


@command.command("resume")
@click.argument("id_", metavar="ID")
@json_option
def resume(*, id_: str, json_: bool) -> None:
    """Deliver again; what has waited comes first, in order."""
    _apply(id_, revisions.resumed, telling.resumed, json_=json_)


@command.command("delete")
@click.argument("id_", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(*, id_: str, yes: bool, json_: bool) -> None:
    """End a destination for ever; what was collected before is still delivered."""
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError(f"Deleting {id_} is final, and nobody can be asked here: repeat it with --yes.")
        click.confirm(f"Delete {id_} for ever?", abort=True, err=True)
    _apply(id_, revisions.deleted, telling.deleted, json_=json_)


@command.command("test")
@click.argument("id_", metavar="ID")
@click.option(
    "--timeout", type=SECONDS, default=60.0, show_default=True, metavar="SECONDS", help="How long to wait for it."
)
@json_option
def test(*, id_: str, timeout: float, json_: bool) -> None:
    """Have a deliverer send a signed test event, and print what was answered, and what to do if it was not taken.

    It is sent whatever the filters say. The exit code is 1 if it was not taken.
    """
    connection = read(Connection, os.environ)
    with Registry(connection) as registry:
        revision = revisions.alive(registry.get(id_))
    salt = sealed.open_salt(revision, _sealer()) if revision.hashed else b""
    result = try_out(connection, revision, timeout, salt)
    click.echo(as_json(result_shape(result, revision)) if json_ else outcome(result, revision))
    if not result.delivered:
        sys.exit(1)


def _apply(id_: str, change: Callable[[Revision], Revision], done: Callable[[Revision], str], *, json_: bool) -> None:
    """Change a destination, and say with `done` what that means."""
    with _registry() as registry:
        registry.get(id_)  # an unknown id is told with its neighbours
        changed = registry.change(id_, lambda newest: change(newest or registry.get(id_)))
    if json_:
        click.echo(as_json({"changed": changed.written, "destination": destination_shape(changed.revision)}))
    else:
        click.echo((done if changed.written else telling.unchanged)(changed.revision))


def _with_status(connection: Connection, revisions: list[Revision]) -> list[dict[str, Any]]:
    fared, counted, stopped = statuses(connection), left_out(connection, revisions), unentitled(connection, revisions)
    return [
        destination_shape(each)
        | {"not_entitled": unentitled_shape(stopped.get(each.destination))}
        | {"status": status_shape(each, fared.get(each.destination), counted.get(each.destination, LeftOut()))}
        for each in revisions
    ]


def _remarks(connection: Connection, revisions: list[Revision]) -> dict[str, str]:
    """By destination, why some are not entitled, and what they miss."""
    stopped = unentitled(connection, revisions)
    counted = left_out(connection, [each for each in revisions if each.destination in stopped]) if stopped else {}
    return {name: missed(why, counted.get(name, LeftOut())) for name, why in stopped.items()}


def _warn(sentences: list[str]) -> None:
    for sentence in sentences:
        click.echo(f"auditcast: {sentence}", err=True)


def _sealer() -> Sealer:
    return sealer_of(read(Destinations, os.environ).sealing_keys)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _registry() -> Registry:
    return Registry(read(Connection, os.environ))


def _new_id() -> str:
    return "dst_" + base64.b32encode(secrets.token_bytes(10)).decode().lower()
