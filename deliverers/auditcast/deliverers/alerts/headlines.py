"""The subject, the title and the first sentences of an email, by its reason. Pure."""

from collections.abc import Callable

from msgspec import Struct

from auditcast.deliverers.alerts import plans
from auditcast.deliverers.alerts.alert import Alert, Kind, Situation
from auditcast.deliverers.alerts.page import Tone
from auditcast.deliverers.alerts.phrases import batches, count, lasting, shortly, when


class Headline(Struct, frozen=True):
    """`what` begins the subject, then comes the destination's name, and `so`; in the title the name comes before."""

    label: str
    tone: Tone
    what: str
    so: str
    title: str
    lead: tuple[str, ...]


_KEPT = "What was not delivered is kept as dead letters, until somebody sends it again."


def headline(alert: Alert, situation: Situation, now: int) -> Headline:
    """What is said first."""
    return _BY_KIND[alert.kind](alert, situation, now)


def waiting(situation: Situation) -> str:
    """How much is parked: `340 batches (33,120 events)`; empty for nothing."""
    status = situation.status
    if not status.parked:
        return ""
    return f"{batches(status.parked)} ({count(status.parked_events, 'event')})"


def _gone(alert: Alert, situation: Situation, now: int) -> Headline:
    return Headline(
        "Disabled",
        "bad",
        "Disabled",
        "the receiver answered 410 Gone",
        "was disabled",
        (
            "The receiver answered 410 Gone, which means that nothing is to be sent there any more. So the destination"
            " was disabled: new events are not collected for it.",
            f"What was collected before is kept: {waiting(situation) or 'nothing is waiting'}.",
        ),
    )


def _paused(alert: Alert, situation: Situation, now: int) -> Headline:
    since = situation.status.failing_since
    return Headline(
        "Paused",
        "bad",
        "Paused",
        f"nothing but failures since {shortly(since)}" if since else "nothing but failures",
        "was paused",
        (
            f"It did nothing but fail{f' for {lasting(now - since)}' if since else ''}, as two emails had warned."
            " Events are still collected and kept, and are delivered in order once it is resumed.",
        ),
    )


def _warning(alert: Alert, situation: Situation, now: int) -> Headline:
    at = alert.pause_at or now
    return Headline(
        "Failing",
        "warn",
        f"Will be paused in {lasting(at - now)}",
        f"nothing but failures since {shortly(alert.told.failing_from)}",
        f"will be paused in {lasting(at - now)}",
        (
            f"It did nothing but fail since {when(alert.told.failing_from)}. Unless a delivery succeeds, it is paused"
            f" from {when(at)} on.",
            "Nothing is lost by that for now: events are still collected and kept, but somebody has to resume it.",
        ),
    )


def _expiring(alert: Alert, situation: Situation, now: int) -> Headline:
    at = alert.expires_at or now
    over = at <= now
    left = "are expiring now" if over else f"expire in {lasting(at - now)}"
    return Headline(
        "Expiring",
        "bad" if alert.kind is Kind.EXPIRING_SOON else "warn",
        "Events are expiring" if over else f"Events expire in {lasting(at - now)}",
        f"{waiting(situation) or batches(situation.ageing.count if situation.ageing else 0)} not delivered",
        f"has undelivered events that {left}",
        (
            f"Undelivered events are kept for a limited time. The oldest of this destination "
            f"{'are being removed now' if over else f'will be removed from {when(at)} on'}, for good.",
        ),
    )


def _undelivered(alert: Alert, situation: Situation, now: int) -> Headline:
    if not alert.thread:
        return Headline(
            "Refused",
            "warn",
            f"{batches(alert.fresh)} not delivered",
            "others get through",
            f"did not take {batches(alert.fresh)}",
            (
                f"{batches(alert.fresh)} could not be delivered, while others get through.",
                _KEPT,
            ),
        )
    owed, still = batches(alert.letters), alert.letters > alert.fresh
    since = f"since {shortly(alert.since)}" if alert.since else "for some time"
    return Headline(
        "Failing",
        "bad",
        f"Still failing, {owed} not delivered" if still else f"{owed} not delivered",
        since if still else f"failing {since}",
        "still does not take its events" if still else "does not take its events",
        (
            f"{owed} could not be delivered after all retries. {_KEPT}",
            "Newer events wait in order, and are delivered by themselves once the receiver answers again.",
        ),
    )


def _recovered(alert: Alert, situation: Situation, now: int) -> Headline:
    owed = alert.letters
    down = f" since {when(alert.since)}" if alert.since else ""
    still = waiting(situation)
    return Headline(
        "Works again",
        "good",
        "Works again",
        f"{batches(owed)} to be sent again" if owed else "nothing was lost",
        "works again",
        (
            f"Deliveries had failed{down}. The receiver takes them again."
            + (f" {still} that waited are being delivered in order." if still else ""),
            f"{batches(owed)} had used up all retries meanwhile. {_KEPT}"
            if owed
            else "No batch had used up its retries, so there is nothing left to do.",
        ),
    )


def _not_entitled(alert: Alert, situation: Situation, now: int) -> Headline:
    return Headline(
        "Stopped",
        "warn",
        "Stopped",
        f"{plans.named(situation) or 'its plan'} does not forward audit events",
        "gets no new events",
        plans.sentences(Kind.NOT_ENTITLED, situation),
    )


def _entitled(alert: Alert, situation: Situation, now: int) -> Headline:
    return Headline(
        "Entitled",
        "good",
        "Entitled again",
        "new events are collected" if situation.revision.state == "active" else "still disabled",
        "is entitled again",
        plans.sentences(Kind.ENTITLED, situation),
    )


_BY_KIND: dict[Kind, Callable[[Alert, Situation, int], Headline]] = {
    Kind.GONE: _gone,
    Kind.PAUSED: _paused,
    Kind.EXPIRING_SOON: _expiring,
    Kind.RECOVERED: _recovered,
    Kind.WARNING: _warning,
    Kind.UNDELIVERED: _undelivered,
    Kind.EXPIRING: _expiring,
    Kind.NOT_ENTITLED: _not_entitled,
    Kind.ENTITLED: _entitled,
}
