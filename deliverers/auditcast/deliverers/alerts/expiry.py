"""When something that is owed will be gone, and whether its owners know. Pure.

What was told of `until` a time covers everything that expires before it. So a backlog is told of a week and a day
before its oldest part is gone, and once a day while it goes on expiring.
"""

from auditcast.deliverers.alerts.alert import DAY_MS, Policy, Situation

AHEAD_MS = 7 * DAY_MS
SOON_MS = DAY_MS


def ahead(policy: Policy) -> int:
    """How long before its end something is told of first; less where nothing is kept for long."""
    return min(AHEAD_MS, _shortest(policy) // 4)


def soon(policy: Policy) -> int:
    """How long before its end something is told of again."""
    return min(SOON_MS, _shortest(policy) // 30)


def expires_at(situation: Situation, policy: Policy) -> int | None:
    """When the first parked batch or dead letter of the destination is gone; None: nothing will be."""
    status, ageing = situation.status, situation.ageing
    ends = []
    if status.parked and status.parked_since is not None and policy.parked_retention is not None:
        ends.append(status.parked_since + policy.parked_retention)
    if ageing is not None and policy.letters_retention is not None:
        ends.append(ageing.oldest + policy.letters_retention)
    return min(ends, default=None)


def due(end: int | None, told_until: int, within: int, now: int) -> bool:
    """Whether to tell of something that is gone at `end`, if that is `within` ms and not told of yet."""
    return end is not None and end - now <= within and end > told_until


def _shortest(policy: Policy) -> int:
    kept = [time for time in (policy.parked_retention, policy.letters_retention) if time is not None]
    return min(kept, default=0)
