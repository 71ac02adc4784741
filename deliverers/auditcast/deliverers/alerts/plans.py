"""What the plan of a workspace means for its destinations, in words. Pure."""

from auditcast.deliverers.alerts.alert import Kind, Situation
from auditcast.deliverers.alerts.phrases import clean, when


def sentences(kind: Kind, situation: Situation) -> tuple[str, ...]:
    """What it means, for one of `PLAN_KINDS`."""
    return _stopped(situation) if kind is Kind.NOT_ENTITLED else _resumed(situation)


def named(situation: Situation) -> str:
    """The plan, with its article; empty if it is not known, or not that of one workspace."""
    workspace = situation.workspace
    return f"the plan {clean(workspace.plan, 64)}" if workspace and workspace.plan else ""


def _stopped(situation: Situation) -> tuple[str, ...]:
    workspace = situation.workspace
    why = f"Its workspace is on {named(situation) or 'a plan'}, which does not forward audit events."
    if situation.revision.workspace is None:
        why = "No workspace of its organization is on a plan that forwards audit events."
    since = f" since {when(workspace.since)}" if workspace else ""
    return (
        f"{why} So new events are not collected for this destination{since}, only counted."
        " What was collected before is still delivered.",
        "On a plan that forwards, collecting goes on by itself, and the receiver is told of the time in between.",
    )


def _resumed(situation: Situation) -> tuple[str, ...]:
    revision = situation.revision
    whose = "workspace" if revision.workspace is not None else "organization"
    now = "New events are collected again, and delivered."
    if revision.state != "active":
        now = "But it is disabled: nothing is collected until somebody enables it."
    elif revision.paused:
        now = "New events are collected again. They wait, since it is paused."
    return (
        f"The plan of its {whose} forwards audit events. {now}",
        "What happened in between was not collected, only counted; the next new batch names that time.",
    )
