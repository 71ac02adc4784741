"""Workspaces as people and scripts see them (shapes: docs/workspaces.md)."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from auditcast.console.ago import ago, span
from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.console.statuses import LeftOut
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision, Workspace


def workspace_shape(workspace: Workspace) -> dict[str, Any]:
    """A workspace as JSON has it."""
    return {
        "id": workspace.workspace,
        "name": workspace.name,
        "slug": workspace.slug,
        "url": workspace.url,
        "organization": workspace.organization,
        "plan": workspace.plan,
        "owners": workspace.owners,
        "entitled": workspace.entitled,
        "since": time_text(workspace.since),
        "number": workspace.number,
        "changed_at": time_text(workspace.changed_at),
    }


def destination_line_shape(revision: Revision, left_out: LeftOut) -> dict[str, Any]:
    """One of its destinations as JSON has it; `destinations show` tells all of it."""
    return {
        "id": revision.destination,
        "description": revision.description,
        "organization": revision.organization,
        "state": revision.state,
        "entitled": revision.entitled,
        "not_collected": left_out.events,
    }


def table(workspaces: Iterable[Workspace], destinations: Iterable[Revision], now: int) -> Table:
    """One workspace after the other, at `now` in ms, with the number of its own `destinations`."""
    lines = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 1, 1))
    lines.add_column("Workspace", overflow="fold")
    lines.add_column("Plan", overflow="fold")
    lines.add_column("Forwarded", no_wrap=True)
    lines.add_column("Destinations", justify="right")
    counts = _counted(destinations)
    for workspace in workspaces:
        described = (workspace.name, workspace.url, _organization(workspace))
        lines.add_row(
            Text("\n").join((Text(workspace.workspace, "bold"), *map(Text, map(printable, filter(None, described))))),
            printable(workspace.plan) or "-",
            Text("yes", "green") if workspace.entitled else Text(f"no, for {span(now - workspace.since)}", "red"),
            str(counts.get(workspace.workspace, 0)),
        )
    return lines


def card(workspace: Workspace, destinations: Iterable[tuple[Revision, LeftOut]], now: int) -> Table:
    """One workspace, a line each thing that is known, and then its destinations and those of its organization."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    lines.add_row("Id", printable(workspace.workspace))
    lines.add_row("Name", printable(workspace.name) or "-")
    lines.add_row("Slug", printable(workspace.slug) or "-")
    lines.add_row("URL", printable(workspace.url) or "-")
    lines.add_row("Organization", printable(workspace.organization or "-"))
    lines.add_row("Plan", printable(workspace.plan) or "-")
    lines.add_row("Owners", ", ".join(map(printable, workspace.owners)) or "-")
    lines.add_row("Entitled", _entitled(workspace, now))
    lines.add_row("Record", f"{workspace.number}, written {time_text(workspace.changed_at)}")
    for revision, left_out in destinations:
        lines.add_row("Destination", destination_line(revision, left_out))
    return lines


def destination_line(revision: Revision, left_out: LeftOut) -> str:
    """One of its destinations, and how it stands."""
    name = f" ({printable(revision.description)})" if revision.description else ""
    whose = "" if revision.workspace is not None else f" of organization {printable(revision.organization or '?')}"
    parts = [revision.state if revision.entitled else _unentitled(revision)]
    if left_out.events:
        since = f" since {second_text(left_out.since)}" if left_out.since is not None else ""
        parts.append(f"{left_out.events:,} events skipped{since}")
    return f"{revision.destination}{name}{whose}: {', '.join(parts)}"


def became(workspace: Workspace, *, written: bool) -> str:
    """What `set` has made of a workspace, in a sentence."""
    what = "is recorded" if written else "is recorded so already"
    name = printable(workspace.workspace)
    if workspace.entitled:
        plan = f", on the plan {printable(workspace.plan)}" if workspace.plan else ""
        return f"{name} {what}{plan}: its events are forwarded."
    return f"{name} {what}, on the plan {printable(workspace.plan)}, which does not forward audit events."


def effect(revision: Revision) -> str:
    """What a change of workspaces has made of a destination, in a sentence."""
    whose = f"{'workspace' if revision.workspace else 'organization'} {revision.workspace or revision.organization}"
    name = f"{revision.destination} of {printable(whose)}"
    if revision.state != "active":
        return f"{name} is {'' if revision.entitled else 'not '}entitled now, and stays disabled."
    if revision.entitled:
        return f"{name} is entitled: events are collected from now on."
    return (
        f"{name} is not entitled any more: events are not collected from now on, only counted;"
        " what was collected before is still delivered."
    )


def _unentitled(revision: Revision) -> str:
    return "not entitled" if revision.state == "active" else f"not entitled, {revision.state}"


def _entitled(workspace: Workspace, now: int) -> str:
    since = f"since {second_text(workspace.since)} ({ago(workspace.since, now)})" if workspace.since else ""
    if workspace.entitled:
        return f"yes, {since}" if since else "yes"
    return f"not entitled {since}: plan {printable(workspace.plan)}"


def _organization(workspace: Workspace) -> str:
    return f"organization {workspace.organization}" if workspace.organization else ""


def _counted(destinations: Iterable[Revision]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for each in destinations:
        if each.workspace is not None and each.state != "deleted":
            counts[each.workspace] = counts.get(each.workspace, 0) + 1
    return counts
