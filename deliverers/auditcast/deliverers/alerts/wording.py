"""An alert in words. Pure; nothing secret goes in: of the URL its host, of an answer a short text, no events."""

import shlex
from urllib.parse import quote, urlsplit

from auditcast.deliverers.alerts import plans
from auditcast.deliverers.alerts.alert import PLAN_KINDS, Alert, Kind, Situation
from auditcast.deliverers.alerts.answers import answer
from auditcast.deliverers.alerts.headlines import headline, waiting
from auditcast.deliverers.alerts.page import Fact, Page, Step
from auditcast.deliverers.alerts.phrases import ago, batches, clean, lasting, when
from auditcast.schemas.records import Revision
from auditcast.schemas.workspaces import is_link

FOOTER = (
    "The commands are for those who operate auditcast. Emails about one destination are spaced out, and each holds"
    " the sums since the last one.",
)


def page(alert: Alert, situation: Situation, now: int, console_url: str = "", remark: str = "") -> Page:
    """What the email says; `remark` is put before its small print."""
    revision, status = situation.revision, situation.status
    top = headline(alert, situation, now)
    name = _name(revision)
    id_ = clean(revision.destination, 64)
    who = id_ if name == id_ else f"{name} ({id_})"
    others = tuple(filter(None, (_besides(kind, alert, situation) for kind in alert.kinds[1:])))
    # Of a destination that only its plan has stopped, or lets go on, the last answer is no news.
    answered = status.last if status.failures or not PLAN_KINDS.issuperset(alert.kinds) else None
    return Page(
        subject=f"[auditcast] {top.what}: {who}, {top.so}",
        label=top.label,
        tone=top.tone,
        title=f"{name} {top.title}",
        preview=top.lead[0],
        lead=(*top.lead, *others),
        facts=_facts(alert, situation, now),
        answer=answer(answered, revision.type_prefix) if answered else None,
        answered=ago(answered.at, now) if answered else "",
        steps=_steps(alert, situation),
        link=f"{console_url.rstrip('/')}/destinations/{quote(revision.destination, safe='')}" if console_url else "",
        footer=((remark,) if remark else ()) + FOOTER,
    )


def _name(revision: Revision) -> str:
    return clean(revision.description, 60) or clean(revision.destination, 64)


def _besides(kind: Kind, alert: Alert, situation: Situation) -> str:
    """A sentence for a reason that is not the headline."""
    if kind is Kind.UNDELIVERED and alert.kind is not Kind.RECOVERED:
        since = " since the last email" if alert.told.number > 1 else ""
        return f"{batches(alert.fresh)} used up all retries{since}, and are kept as dead letters."
    if kind in {Kind.EXPIRING_SOON, Kind.EXPIRING} and alert.kind is not Kind.EXPIRING_SOON and alert.expires_at:
        return (
            f"Undelivered events are kept for a limited time: the oldest are removed from {when(alert.expires_at)} on."
        )
    if kind is Kind.WARNING and alert.pause_at:
        return f"Unless a delivery succeeds, the destination is paused from {when(alert.pause_at)} on."
    return " ".join(plans.sentences(kind, situation)) if kind in PLAN_KINDS else ""


def _facts(alert: Alert, situation: Situation, now: int) -> tuple[Fact, ...]:
    revision, status = situation.revision, situation.status
    facts = [Fact("Destination", clean(revision.destination, 64), clean(revision.description, 120))]
    facts += _owner_facts(situation)
    facts.append(Fact("Host", _host(revision.url)))
    if status.failing_since is not None:
        facts.append(Fact("Failing for", lasting(now - status.failing_since), f"since {when(status.failing_since)}"))
    facts.append(Fact("Last delivery", ago(status.last_success, now) if status.last_success else "none yet"))
    if alert.letters:
        fresh = f"{alert.fresh:,} of them since the last email" if 0 < alert.fresh < alert.letters else ""
        reason = f"the newest: {clean(status.last_reason, 60)}" if status.last_reason else ""
        facts.append(Fact("Dead letters", batches(alert.letters), ", ".join(filter(None, (fresh, reason)))))
    if status.parked:
        since = f"since {when(status.parked_since)}" if status.parked_since is not None else ""
        facts.append(Fact("Waiting", waiting(situation), since))
    if situation.ageing is not None:
        facts.append(Fact("Old dead letters", batches(situation.ageing.count), "about to expire"))
    if alert.expires_at is not None and {Kind.EXPIRING, Kind.EXPIRING_SOON} & {*alert.kinds}:
        facts.append(Fact("Kept until", when(alert.expires_at), "the oldest"))
    return tuple(facts)


def _owner_facts(situation: Situation) -> list[Fact]:
    """Whose events it gets, and on which plan they are if that matters."""
    revision, workspace = situation.revision, situation.workspace
    if revision.workspace is None:
        return [Fact("Organization", clean(revision.organization or "unknown", 120))]
    id_ = clean(revision.workspace, 120)
    if workspace is None:
        return [Fact("Workspace", id_)]
    name = clean(workspace.name, 100)
    facts = [Fact("Workspace", name or id_, id_ if name else "", workspace.url if is_link(workspace.url) else "")]
    if not workspace.entitled:
        facts.append(Fact("Plan", clean(workspace.plan, 64), f"not entitled since {when(workspace.since)}"))
    return facts


def _steps(alert: Alert, situation: Situation) -> tuple[Step, ...]:
    id_ = shlex.quote(clean(situation.revision.destination, 64))
    mend = Step("Find out why the receiver does not take what it is sent, and mend it.")
    look = Step("See which events are dead letters, and why.", f"auditcast dead-letters list --destination {id_}")
    test = Step("Try it with a test delivery.", f"auditcast destinations test {id_}")
    replay = Step("Send the dead letters again.", f"auditcast dead-letters replay --destination {id_}")
    upgrade = Step(
        "If its events are to be forwarded, have the plan of its workspace changed; then record that.",
        f"auditcast workspaces set {shlex.quote(clean(situation.revision.workspace or 'WORKSPACE', 256))} --plan PLAN",
    )
    enable = Step(
        "If the receiver has moved, set its new URL; then enable the destination.",
        f"auditcast destinations edit {id_} --url https://…\nauditcast destinations enable {id_}",
    )
    resume = Step("Resume it: what waits is delivered in order.", f"auditcast destinations resume {id_}")
    owed = bool(alert.letters or situation.ageing is not None)
    if Kind.RECOVERED in alert.kinds:
        return (replay,) if owed else ()
    if Kind.GONE in alert.kinds:
        return (enable, test, *((replay,) if owed else ()))
    wanted = (
        (upgrade, Kind.NOT_ENTITLED in alert.kinds),
        (mend, situation.status.failures > 0),
        (look, owed),
        (test, not PLAN_KINDS.issuperset(alert.kinds)),
        (resume, situation.revision.paused),
        (replay, owed),
    )
    return tuple(step for step, holds in wanted if holds)


def _host(url: str) -> str:
    """The host alone: path and query may hold credentials."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        host = None
    return clean(host or "unknown", 120)
