"""Which emails are due: never a flood, nothing forgotten, whatever happens in whatever order."""

from collections.abc import Callable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.deliverers.alerts.alert import DAY_MS, HOUR_MS, Alert, Kind, Situation
from auditcast.deliverers.alerts.evaluation import evaluate, fresh_letters
from auditcast.deliverers.alerts.pausing import WARNINGS, failing_from, pause_due, paused
from auditcast.schemas.records import Alerted, Attempt
from tests.unit.deliverers.alerts.situations import (
    MINUTE_MS,
    NOTHING,
    NOW,
    POLICY,
    failing,
    revision,
    situation,
    working,
    workspace,
)


class World:
    """One destination, its owners' mailbox, and a worker that looks at it after everything that happens."""

    def __init__(self) -> None:
        self.now = NOW
        self.situation = Situation(revision=revision(), status=working(at=NOW))
        self.told = NOTHING
        self.inbox: list[tuple[int, Alert]] = []

    def status(self, **changes: object) -> None:
        self.situation = replace(self.situation, status=replace(self.situation.status, **changes))

    def revise(self, **changes: object) -> None:
        before = self.situation.revision
        changes = {"number": before.number + 1, "nonce": "ab", "changed_at": self.now, "because": ""} | changes
        self.situation = replace(self.situation, revision=replace(before, **changes))

    def fail(self) -> None:
        status = self.situation.status
        attempt = Attempt(at=self.now, latency_ms=1, status=500)
        since = self.now if status.failing_since is None else status.failing_since
        self.status(last=attempt, failures=status.failures + 1, failing_since=since, open=status.failures > 1)

    def succeed(self) -> None:
        attempt = Attempt(at=self.now, latency_ms=1, status=200)
        self.status(last=attempt, last_success=self.now, failures=0, failing_since=None, open=False)

    def bury(self) -> None:
        self.fail()
        self.status(dead_letters=self.situation.status.dead_letters + 1, last_dead_letter=self.now)

    def begin_anew(self) -> None:
        self.status(dead_letters=0)

    def park(self) -> None:
        self.status(parked=5, parked_events=500, parked_since=self.situation.status.parked_since or self.now)

    def release(self) -> None:
        self.status(parked=0, parked_events=0, parked_since=None)

    def go(self) -> None:
        self.revise(state="disabled", because="gone", nonce="-01")

    def mend(self) -> None:
        self.revise(state="active", paused=False)

    def downgrade(self) -> None:
        self.revise(entitled=False)

    def upgrade(self) -> None:
        self.revise(entitled=True)

    def pause(self) -> None:
        self.revise(paused=True)

    def look(self, fault: str) -> None:
        """What the worker does; `closed`: the mail server takes nothing; `crash`: just after it took the email."""
        if pause_due(self.situation, self.told, POLICY.pause_after):
            warned = [at for at, alert in self.inbox if Kind.WARNING in alert.kinds]
            assert len(warned) >= WARNINGS
            assert warned[-1] > (failing_from(self.situation) or 0)
            self.situation = replace(self.situation, revision=paused(self.situation.revision, self.now))
        alert = evaluate(self.situation, self.told, POLICY, self.now)
        if alert is None or fault == "closed":
            return
        if fault != "crash":
            self.told = alert.told
        self.inbox.append((self.now, alert))

    def check(self) -> None:
        """No two different emails within an hour, their numbers without gaps, a repeat only in place of the newest."""
        first: dict[int, int] = {}
        for at, alert in self.inbox:
            first.setdefault(alert.told.number, at)
        assert list(first) == list(range(1, len(first) + 1))
        times = list(first.values())
        assert all(later - earlier >= HOUR_MS for earlier, later in pairwise(times))


STEPS: dict[str, Callable[[World], None]] = {
    name: getattr(World, name)
    for name in (
        "fail",
        "succeed",
        "bury",
        "begin_anew",
        "park",
        "release",
        "go",
        "mend",
        "pause",
        "downgrade",
        "upgrade",
    )
}
step = st.tuples(
    st.sampled_from([*STEPS, "bury", "fail", "fail"]),
    st.integers(1, 20) | st.integers(20, 600) | st.integers(600, 4000),
    st.sampled_from(["", "", "", "closed", "crash"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(step, max_size=40))
def test_at_most_one_an_hour_and_in_the_end_everything_is_told(steps: list[tuple[str, int, str]]) -> None:
    world = World()
    for name, minutes, fault in steps:
        STEPS[name](world)
        world.look(fault)
        world.now += minutes * MINUTE_MS
    for _ in range(60):
        world.look("")
        world.now += HOUR_MS
    world.check()
    assert fresh_letters(world.situation.status, world.told) == 0
    final = world.situation
    if final.revision.entitled or final.revision.state == "active":
        assert world.told.unentitled == (not final.revision.entitled)
    if final.revision.because:
        assert world.told.verdict == f"{final.revision.number}{final.revision.nonce}"
    elif not final.status.failures and final.revision.state == "active" and not final.revision.paused:
        assert not world.told.outage or (final.status.last_success or 0) <= world.told.outage_since


@settings(deadline=None)
@given(st.lists(step, max_size=30))
def test_a_crash_after_sending_repeats_the_same_email_and_changes_nothing_else(
    steps: list[tuple[str, int, str]],
) -> None:
    steady, shaken = World(), World()
    for name, minutes, fault in steps:
        for world in (steady, shaken):
            STEPS[name](world)
        steady.look("")
        if fault == "crash":
            shaken.look("crash")
        shaken.look("")
        for world in (steady, shaken):
            world.now += minutes * MINUTE_MS
    assert shaken.told == steady.told
    numbers = [alert.told.number for _, alert in shaken.inbox]
    assert list(dict.fromkeys(numbers)) == [alert.told.number for _, alert in steady.inbox]


def test_an_outage_is_told_of_less_and_less_often_with_its_sums() -> None:
    world = World()
    for _ in range(3 * 24 * 6):
        world.bury()
        world.look("")
        world.now += 10 * MINUTE_MS
    sums = [(alert.letters, alert.fresh) for _, alert in world.inbox if alert.kinds == (Kind.UNDELIVERED,)]
    assert sums[:4] == [(1, 1), (7, 6), (19, 12), (43, 24)]
    assert {alert.thread for _, alert in world.inbox} == {1}
    assert len(world.inbox) <= 9
    world.succeed()
    world.look("")
    world.now += HOUR_MS
    world.look("")
    assert world.inbox[-1][1].kinds[0] is Kind.RECOVERED
    assert world.inbox[-1][1].letters == 3 * 24 * 6
    assert world.told.outage == 0


def test_how_soon_the_next_email_may_follow_is_a_setting() -> None:
    world = World()
    world.bury()
    world.look("")
    world.now += MINUTE_MS
    world.succeed()
    assert evaluate(world.situation, world.told, POLICY, world.now) is None
    alert = evaluate(world.situation, world.told, replace(POLICY, every=MINUTE_MS), world.now)
    assert alert is not None
    assert alert.kinds == (Kind.RECOVERED,)


def test_it_is_paused_after_two_warnings_and_told_of_that() -> None:
    world = World()
    for _ in range(6 * 24):
        world.fail()
        world.look("")
        world.now += HOUR_MS
    days = [(alert.kind, round((at - NOW) / DAY_MS, 1)) for at, alert in world.inbox]
    assert days == [(Kind.WARNING, 2.5), (Kind.WARNING, 4.0), (Kind.PAUSED, 5.0)]
    assert [alert.pause_at for _, alert in world.inbox] == [NOW + 5 * DAY_MS, NOW + 5 * DAY_MS, None]


def test_a_success_begins_the_count_to_the_pause_anew() -> None:
    world = World()
    for hour in range(8 * 24):
        world.fail()
        if hour == 3 * 24:
            world.succeed()
        world.look("")
        world.now += HOUR_MS
    warned = [round((at - NOW) / DAY_MS, 1) for at, alert in world.inbox if alert.kind is Kind.WARNING]
    assert warned == [2.5, 5.5, 7.0]
    assert not world.situation.revision.paused


def test_warnings_that_could_not_be_sent_put_the_pause_off() -> None:
    world = World()
    for hour in range(9 * 24):
        world.fail()
        world.look("closed" if hour < 6 * 24 else "")
        world.now += HOUR_MS
    days = [(alert.kind, round((at - NOW) / DAY_MS, 1)) for at, alert in world.inbox]
    assert days == [(Kind.WARNING, 6.0), (Kind.WARNING, 7.0), (Kind.PAUSED, 8.0)]


def test_two_failures_with_nothing_in_between_are_not_days_of_failures() -> None:
    once = situation(failing(failing_since=NOW - 9 * DAY_MS, last=Attempt(at=NOW - 9 * DAY_MS, latency_ms=1)))
    told = replace(NOTHING, dead_letters=3, last_dead_letter=NOW)
    assert evaluate(once, told, POLICY, NOW) is None


def test_nobody_is_paused_who_could_not_be_warned_nor_after_a_change() -> None:
    long = failing(failing_since=NOW - 9 * DAY_MS, dead_letters=0, last_dead_letter=None)
    assert evaluate(situation(long), NOTHING, POLICY, NOW) is not None
    assert evaluate(situation(long, reachable=False), NOTHING, POLICY, NOW) is None
    changed = Situation(revision=revision(changed_at=NOW - DAY_MS), status=long)
    assert evaluate(changed, NOTHING, POLICY, NOW) is None
    assert evaluate(situation(long), NOTHING, replace(POLICY, pause_after=0), NOW) is None
    warned = Alerted(destination="dst_1", at=0, warnings=2, warned_at=NOW - 2 * DAY_MS, failing_from=NOW - 9 * DAY_MS)
    assert pause_due(situation(long), warned, POLICY.pause_after)
    assert not pause_due(changed, warned, POLICY.pause_after)
    assert not pause_due(situation(long), replace(warned, warnings=1), POLICY.pause_after)


def test_a_deleted_destination_is_nobodys_worry() -> None:
    gone = Situation(revision=revision(state="deleted"), status=failing())
    assert evaluate(gone, NOTHING, POLICY, NOW) is None


def test_what_expires_is_told_of_a_week_and_a_day_before_and_not_all_the_time() -> None:
    """Of a backlog that goes on and on: a week and a day before its oldest part is gone, then once a day."""
    told, emails = NOTHING, []
    begun = NOW - 20 * DAY_MS
    for hour in range(60 * 24):
        now = NOW + hour * HOUR_MS
        oldest = max(begun, now - 30 * DAY_MS)
        parked = working(parked=9, parked_events=9, parked_since=oldest)
        gone_at = oldest + 30 * DAY_MS
        if gone_at <= now:
            assert told.number >= 2
            assert now - told.at <= DAY_MS + HOUR_MS
        if alert := evaluate(Situation(revision=revision(paused=True), status=parked), told, POLICY, now):
            told = alert.told
            emails.append((alert.kind, round((now - NOW) / DAY_MS, 1)))
    assert emails[:3] == [(Kind.EXPIRING, 3.0), (Kind.EXPIRING_SOON, 9.0), (Kind.EXPIRING_SOON, 10.0)]
    assert len(emails) == 50


def test_a_downgrade_and_an_upgrade_are_told_of_once_each() -> None:
    world = World()
    for happens in (world.downgrade, world.upgrade):
        happens()
        for _ in range(48):
            world.look("")
            world.now += HOUR_MS
    assert [alert.kinds for _, alert in world.inbox] == [(Kind.NOT_ENTITLED,), (Kind.ENTITLED,)]
    world.downgrade()
    world.upgrade()
    world.look("")
    assert len(world.inbox) == 2, "what was over before anybody was told of it is no news"


def test_a_downgrade_of_what_is_disabled_is_no_news_but_its_end_is_if_it_was() -> None:
    disabled = Situation(revision=revision(state="disabled", entitled=False), status=working())
    assert evaluate(disabled, NOTHING, POLICY, NOW) is None
    again = Situation(revision=revision(state="disabled"), status=working())
    assert evaluate(again, NOTHING, POLICY, NOW) is None
    alert = evaluate(again, replace(NOTHING, unentitled=True), POLICY, NOW)
    assert alert is not None
    assert alert.kinds == (Kind.ENTITLED,)


def test_what_workspace_and_destination_do_not_agree_about_is_not_told_yet() -> None:
    for entitled in (True, False):
        said = Situation(
            revision=revision(entitled=not entitled), status=working(), workspace=workspace(entitled=entitled)
        )
        assert evaluate(said, replace(NOTHING, unentitled=not entitled), POLICY, NOW) is None


def test_a_verdict_is_told_of_once() -> None:
    gone = Situation(revision=revision(state="disabled", because="gone", nonce="-1"), status=working())
    alert = evaluate(gone, NOTHING, POLICY, NOW)
    assert alert is not None
    assert alert.kinds == (Kind.GONE,)
    assert evaluate(gone, alert.told, POLICY, NOW + 9 * HOUR_MS) is None
    enabled = Situation(revision=revision(number=4), status=working(last_success=NOW + HOUR_MS))
    back = evaluate(enabled, alert.told, POLICY, NOW + 2 * HOUR_MS)
    assert back is not None
    assert back.kinds == (Kind.RECOVERED,)


def test_enabling_it_is_no_recovery_before_something_was_delivered() -> None:
    gone = Situation(revision=revision(state="disabled", because="gone"), status=failing())
    alert = evaluate(gone, NOTHING, POLICY, NOW)
    assert alert is not None
    later = NOW + 9 * HOUR_MS
    counted_anew = failing(failures=0, failing_since=None, open=False)
    enabled = Situation(revision=revision(number=4), status=counted_anew)
    assert evaluate(enabled, alert.told, POLICY, later) is None


def test_letters_are_told_of_even_if_their_count_began_anew() -> None:
    told = replace(NOTHING, dead_letters=50, last_dead_letter=NOW - DAY_MS)
    alert = evaluate(situation(failing(dead_letters=3, last_dead_letter=NOW)), told, POLICY, NOW)
    assert alert is not None
    assert (alert.fresh, alert.told.dead_letters) == (3, 3)
    assert evaluate(situation(failing(dead_letters=0, last_dead_letter=None)), told, POLICY, NOW) is None


def test_a_batch_that_alone_is_refused_is_no_outage() -> None:
    alert = evaluate(situation(working(dead_letters=1, last_dead_letter=NOW)), NOTHING, POLICY, NOW)
    assert alert is not None
    assert alert.told.outage == 0
    assert evaluate(situation(working(dead_letters=1, last_dead_letter=NOW)), alert.told, POLICY, NOW + DAY_MS) is None
