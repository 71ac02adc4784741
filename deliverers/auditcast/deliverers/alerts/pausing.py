"""When a destination that does nothing but fail is warned of, and paused. Pure.

Not time counts but failures: between the first and the newest one of a row without any success must lie the whole span,
so that an outage of our own, or a destination with hardly any events, is no reason. A change by a person begins anew.
"""

from msgspec.structs import replace

from auditcast.deliverers.alerts.alert import DAY_MS, Situation
from auditcast.deliverers.gone import verdict_nonce
from auditcast.schemas.records import Alerted, Revision

WARNINGS = 2
FAILING = "failing"
"""Of `Revision.because`."""


def failing_from(situation: Situation) -> int | None:
    """The first failure that counts; None while it is not failing, or not to be paused any more."""
    revision, status = situation.revision, situation.status
    if revision.state != "active" or revision.paused or not status.failures or status.failing_since is None:
        return None
    return max(status.failing_since, revision.changed_at)


def warning_due(situation: Situation, told: Alerted, after: int, now: int) -> bool:
    """Whether to warn (again) that it will be paused after `after` ms of failures (0: never)."""
    begin = failing_from(situation)
    if not after or begin is None or not situation.reachable:
        return False
    span, sent = _newest_failure(situation) - begin, warnings_sent(told, begin)
    if sent == 0:
        return span >= after // 2
    return sent == 1 and span >= after - lead(after) and now - told.warned_at >= lead(after)


def pause_due(situation: Situation, told: Alerted, after: int) -> bool:
    """Whether to pause it: both warnings were sent, and it has failed since the last one for long enough."""
    begin = failing_from(situation)
    if not after or begin is None or warnings_sent(told, begin) < WARNINGS:
        return False
    newest = _newest_failure(situation)
    return newest - begin >= after and newest - told.warned_at >= lead(after)


def earliest_pause(begin: int, warnings: int, after: int, now: int) -> int:
    """The earliest time of the pause, as of the warning number `warnings` sent `now`."""
    return max(begin + after, now + (WARNINGS + 1 - warnings) * lead(after))


def warnings_sent(told: Alerted, begin: int) -> int:
    """How many warnings were sent about the failures that began at `begin`."""
    return told.warnings if told.failing_from == begin else 0


def lead(after: int) -> int:
    """The least time from the last warning to the pause, in ms."""
    return min(DAY_MS, after // 4)


def paused(about: Revision, now: int) -> Revision:
    """The verdict on `about`, which is void beside a change that a person makes at the same time."""
    return replace(
        about,
        number=about.number + 1,
        nonce=verdict_nonce(about, FAILING),
        changed_at=now,
        paused=True,
        because=FAILING,
    )


def _newest_failure(situation: Situation) -> int:
    last = situation.status.last
    return last.at if last else 0
