"""`auditcast workspaces`: what is known of workspaces, and so whose events are forwarded."""

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from auditcast.console import surveys
from auditcast.console.entitlement import Known
from auditcast.console.entitling import Settled, knowledge, settle
from auditcast.console.options import json_option
from auditcast.console.settings import Entitlement
from auditcast.console.showing import as_json
from auditcast.console.statuses import LeftOut, left_out
from auditcast.console.tables import render
from auditcast.console.workspace_cards import (
    became,
    card,
    destination_line_shape,
    effect,
    table,
    workspace_shape,
)
from auditcast.console.workspaces import Said, Workspaces, described, judged, missing
from auditcast.kafka.settings import Connection, read
from auditcast.schemas.records import Revision, Workspace


@click.group("workspaces")
def command() -> None:
    """Say what workspaces there are, on which plans, and who owns them.

    Events of a workspace are forwarded unless it is on a plan that is not among AUDITCAST_ENTITLED_PLANS.
    """


@command.command("set")
@click.argument("id_", metavar="ID")
@click.option("--name", help="What people call it.")
@click.option("--slug", help="Its short name in URLs.")
@click.option("--url", help="Where people find it; emails link there.")
@click.option("--organization", help="The organization that it belongs to.")
@click.option("--plan", help="The plan that it is on.")
@click.option("--owner", "owners", multiple=True, metavar="EMAIL", help="Tell this owner about its destinations.")
@click.option("--remove-owner", "no_owners", multiple=True, metavar="EMAIL", help="Tell this address no longer.")
@json_option
def set_(*, id_: str, json_: bool, **given: Any) -> None:
    """Record what is given, and leave the rest as it is; an empty text removes it.

    Starts and stops collecting for its destinations as its plan has it. Repeating the command does no harm, and
    completes one that was interrupted.
    """
    said = Said(**{name: value for name, value in given.items() if value is not None})
    if said == Said():
        raise click.UsageError("Nothing to record was given: see 'auditcast workspaces set --help'.")
    settings = read(Entitlement, os.environ)
    with Workspaces(settings.connection) as book:
        changed = book.change(id_, lambda newest: described(newest, id_, said, settings.entitled_plans, _now()))
    settled = settle(settings.connection)
    _warn(settled.known)
    workspace = changed.revision
    if json_:
        shape = {"changed": changed.written, "workspace": workspace_shape(workspace)}
        click.echo(as_json(shape | _effects_shape(settled, _concerned(workspace, settled.destinations))))
        return
    click.echo(became(workspace, written=changed.written))
    _tell(settled)


@command.command("apply")
@json_option
def apply(*, json_: bool) -> None:
    """Judge all workspaces anew by AUDITCAST_ENTITLED_PLANS, and bring all destinations in line.

    To be run once that setting was changed. Repeating it does no harm.
    """
    settings = read(Entitlement, os.environ)
    plans = settings.entitled_plans
    with Workspaces(settings.connection) as book:
        judgements = [book.change(each.workspace, _judging(each, plans)) for each in book.all()]
    settled = settle(settings.connection)
    _warn(settled.known)
    written = [each.revision for each in judgements if each.written]
    if json_:
        shape = {"workspaces": [workspace_shape(each) for each in written]}
        click.echo(as_json(shape | _effects_shape(settled, settled.changed)))
        return
    for workspace in written:
        click.echo(became(workspace, written=True))
    if not written:
        click.echo(f"All workspaces are judged by these plans already: {', '.join(plans)}.")
    _tell(settled)


@command.command("list")
@click.option("--organization", help="Only those of this organization.")
@json_option
def list_(*, organization: str | None, json_: bool) -> None:
    """List the workspaces of which anything is known."""
    connection = read(Connection, os.environ)
    with knowledge(connection) as look:
        known = look()
    _warn(known)
    found = [
        workspace for _, workspace in sorted(known.workspaces.items()) if organization in (None, workspace.organization)
    ]
    if json_:
        click.echo(as_json([workspace_shape(each) for each in found]))
    elif found:
        click.echo(render(table(found, _destinations(connection), _now())), nl=False)
    elif known.workspaces:
        click.echo(f"No workspace of the organization {organization} is known here.")
    else:
        click.echo("Nothing is known of any workspace here, so the events of all are forwarded.")


@command.command("show")
@click.argument("id_", metavar="ID")
@json_option
def show(*, id_: str, json_: bool) -> None:
    """Show one workspace, and what that means for its destinations."""
    connection = read(Connection, os.environ)
    with knowledge(connection) as look:
        known = look()
    _warn(known)
    workspace = known.workspaces.get(id_)
    if workspace is None:
        raise missing(id_, list(known.workspaces))
    concerned = _concerned(workspace, _destinations(connection))
    counts = left_out(connection, concerned) if concerned else {}
    found = [(each, counts.get(each.destination, LeftOut())) for each in concerned]
    if json_:
        click.echo(
            as_json(workspace_shape(workspace) | {"destinations": [destination_line_shape(*one) for one in found]})
        )
    else:
        click.echo(render(card(workspace, found, _now())), nl=False)


def _judging(seen: Workspace, plans: Sequence[str]) -> Callable[[Workspace | None], Workspace]:
    return lambda newest: judged(newest or seen, plans, _now())


def _concerned(workspace: Workspace, destinations: list[Revision]) -> list[Revision]:
    """The destinations that its events may go to."""
    organization = workspace.organization
    return [
        each
        for each in destinations
        if each.state != "deleted"
        and (each.workspace == workspace.workspace or (organization is not None and each.organization == organization))
    ]


def _destinations(connection: Connection) -> list[Revision]:
    with surveys.of_destinations(connection) as survey:
        return [revision for _, revision in sorted(survey.look().items())]


def _effects_shape(settled: Settled, destinations: list[Revision]) -> dict[str, Any]:
    changed = {each.destination for each in settled.changed}
    shown = {each.destination: each for each in [*destinations, *settled.changed]}
    return {
        "destinations": [
            {"id": name, "entitled": each.entitled, "changed": name in changed} for name, each in sorted(shown.items())
        ]
    }


def _tell(settled: Settled) -> None:
    for revision in settled.changed:
        click.echo(effect(revision))
    if not settled.changed:
        click.echo("No destination has to change.")


def _warn(known: Known) -> None:
    for broken in sorted(known.unreadable):
        click.echo(
            f"auditcast: the record of workspace {broken!r} cannot be read: see who wrote it, or upgrade", err=True
        )


def _now() -> int:
    return time.time_ns() // 1_000_000
