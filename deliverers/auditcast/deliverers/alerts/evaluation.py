"""Whether an email is due. Pure, and triggered by levels: it compares how things stand with what was told.

So it does not matter when it is asked, how often, or what was missed in between; what is not told stays due.
"""

from msgspec.structs import replace

from auditcast.deliverers.alerts import expiry, pausing
from auditcast.deliverers.alerts.alert import DAY_MS, PLAN_KINDS, Alert, Kind, Policy, Situation
from auditcast.schemas.records import Alerted, Revision, Status


def evaluate(situation: Situation, told: Alerted, policy: Policy, now: int) -> Alert | None:
    """The email that is due `now`; at most one in `policy.every` ms, whatever happens."""
    # Clocks differ between workers, so a time in the future is as near as one in the past.
    if situation.revision.state == "deleted" or abs(now - told.at) < policy.every:
        return None
    end = expiry.expires_at(situation, policy)
    due = {
        Kind.GONE: _gone(situation.revision) and _verdict(situation.revision) != told.verdict,
        Kind.PAUSED: _paused(situation.revision) and _verdict(situation.revision) != told.verdict,
        Kind.EXPIRING_SOON: expiry.due(end, told.expiring_soon, expiry.soon(policy), now),
        Kind.RECOVERED: _recovered(situation, told),
        Kind.WARNING: pausing.warning_due(situation, told, policy.pause_after, now),
        Kind.UNDELIVERED: fresh_letters(situation.status, told) > 0,
        Kind.EXPIRING: expiry.due(end, told.expiring, expiry.ahead(policy), now),
        Kind.NOT_ENTITLED: _stopped(situation) and not told.unentitled,
        Kind.ENTITLED: _resumed(situation) and told.unentitled,
    }
    kinds = tuple(kind for kind in Kind if due[kind])
    if not kinds or (kinds == (Kind.UNDELIVERED,) and abs(now - told.at) < _quiet(told, policy)):
        return None
    return _alert(kinds, situation, told, policy, now)


def fresh_letters(status: Status, told: Alerted) -> int:
    """How many dead letters nobody was told of."""
    if status.dead_letters > told.dead_letters:
        return status.dead_letters - told.dead_letters
    # The count began anew; the time of the newest one tells.
    return status.dead_letters if (status.last_dead_letter or 0) > told.last_dead_letter else 0


def _alert(kinds: tuple[Kind, ...], situation: Situation, told: Alerted, policy: Policy, now: int) -> Alert:
    status, fresh = situation.status, fresh_letters(situation.status, told)
    begin = pausing.failing_from(situation) or 0
    after = replace(
        told,
        at=now,
        number=told.number + 1,
        dead_letters=status.dead_letters,
        last_dead_letter=max(status.last_dead_letter or 0, told.last_dead_letter),
        verdict=_verdict(situation.revision) if {Kind.GONE, Kind.PAUSED} & {*kinds} else told.verdict,
    )
    end = expiry.expires_at(situation, policy)
    if {Kind.EXPIRING, Kind.EXPIRING_SOON} & {*kinds}:
        after = replace(after, expiring=now + expiry.ahead(policy))
    if Kind.EXPIRING_SOON in kinds:
        after = replace(after, expiring_soon=now + expiry.soon(policy))
    if Kind.WARNING in kinds:
        warnings = pausing.warnings_sent(told, begin) + 1
        after = replace(after, warnings=warnings, warned_at=now, failing_from=begin)
    if PLAN_KINDS & {*kinds}:
        after = replace(after, unentitled=Kind.NOT_ENTITLED in kinds)
    after = _outage(after, kinds, status, fresh)
    over = Kind.RECOVERED in kinds
    return Alert(
        kinds=kinds,
        told=after,
        thread=told.outage or after.outage,
        since=(told.outage_since if over else after.outage_since) or None,
        fresh=fresh,
        letters=told.outage_letters + fresh if told.outage else fresh,
        pause_at=pausing.earliest_pause(begin, after.warnings, policy.pause_after, now)
        if Kind.WARNING in kinds
        else None,
        expires_at=end,
    )


def _outage(after: Alerted, kinds: tuple[Kind, ...], status: Status, fresh: int) -> Alerted:
    """`after` with what its readers think of the outage."""
    if Kind.RECOVERED in kinds:
        return replace(after, outage=0, outage_since=0, outage_letters=0)
    if after.outage:
        return replace(after, outage_letters=after.outage_letters + fresh)
    if status.failures or status.open or {Kind.GONE, Kind.PAUSED} & {*kinds}:
        since = status.failing_since or (status.last.at if status.last else after.at)
        return replace(after, outage=after.number, outage_since=since, outage_letters=fresh)
    return after


def _quiet(told: Alerted, policy: Policy) -> int:
    """How long an outage with nothing new but its sums is not told of again: 1 h, 2 h, 4 h, … a day."""
    if not told.outage:
        return policy.every
    return min(policy.every << min(told.number - told.outage, 5), DAY_MS)


def _recovered(situation: Situation, told: Alerted) -> bool:
    revision, status = situation.revision, situation.status
    works = not status.failures and not status.open and revision.state == "active" and not revision.paused
    return bool(told.outage) and works and (status.last_success or 0) > told.outage_since


def _stopped(situation: Situation) -> bool:
    """Whether nothing is collected for it because of a plan; of a disabled one nobody expects anything."""
    revision = situation.revision
    return not revision.entitled and revision.state == "active" and _agreed(situation)


def _resumed(situation: Situation) -> bool:
    return situation.revision.entitled and _agreed(situation)


def _agreed(situation: Situation) -> bool:
    """Whether destination and workspace say the same; else one of them is about to be changed."""
    workspace = situation.workspace
    return workspace is None or workspace.entitled == situation.revision.entitled


def _gone(revision: Revision) -> bool:
    return revision.state == "disabled" and revision.because == "gone"


def _paused(revision: Revision) -> bool:
    return revision.paused and revision.because == pausing.FAILING


def _verdict(revision: Revision) -> str:
    return f"{revision.number}{revision.nonce}"
