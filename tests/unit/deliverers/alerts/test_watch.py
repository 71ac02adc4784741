"""What the worker does with an alert: told once, whatever mail servers, crashes and rebalances do."""

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Self

import pytest
from msgspec.structs import replace

from auditcast.deliverers.alerts.alert import DAY_MS, HOUR_MS, Ageing
from auditcast.deliverers.alerts.envelope import Desk
from auditcast.deliverers.alerts.metrics import Metrics
from auditcast.deliverers.alerts.misfortunes import PostClosed
from auditcast.deliverers.alerts.post import Receipt
from auditcast.deliverers.alerts.sight import Sight
from auditcast.deliverers.alerts.watch import Watch
from auditcast.deliverers.fate import Append
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Alerted, Attempt, Revision, Status
from auditcast.schemas.wire import decode_as, encode
from tests.unit.deliverers.alerts.situations import MINUTE_MS, NOW, POLICY, failing, revision, working, workspace

OWNER, OTHER, OPERATOR, ADA = "owner@example.com", "other@example.com", "ops@example.com", "ada@example.com"


class Server:
    """A mail server: `answers` by address, or `closed`; `sent` are the addresses and the email each time."""

    def __init__(self) -> None:
        self.sent: list[tuple[list[str], EmailMessage]] = []
        self.answers: dict[str, int] = {}
        self.asked = 0
        self.closed = False
        self.hold: asyncio.Event | None = None
        self.begun = asyncio.Event()

    async def send(self, email: EmailMessage, to: Sequence[str]) -> Receipt:
        self.asked += 1
        self.begun.set()
        if self.hold is not None:
            await self.hold.wait()
        if self.closed:
            raise PostClosed("closed")
        refused = {address: self.answers[address] for address in to if address in self.answers}
        taken = frozenset(to) - refused.keys()
        if taken:
            self.sent.append((sorted(taken), email))
        return Receipt(
            taken,
            later={address: "4" for address, code in refused.items() if code < 500},
            never={address: "5" for address, code in refused.items() if code >= 500},
        )

    async def rest(self) -> None:
        pass


class Bench:
    """A watch over one partition with one destination; `restart` forgets what is not in the topics."""

    def __init__(self, status: Status, operators: Sequence[str] = (), **more: object) -> None:
        self.now = NOW
        self.server = Server()
        self.revisions: dict[bytes, bytes] = {}
        self.statuses: dict[bytes, bytes] = {}
        self.workspaces: dict[bytes, bytes] = {}
        self.told: dict[str, Alerted] = {}
        self.operators = operators
        self.fail_append = False
        self.metrics = Metrics()
        self.revise(revision(**more))
        self.status(status)
        self.restart()

    def revise(self, newest: Revision) -> None:
        self.revisions[b"dst_1"] = encode(newest)

    def status(self, newest: Status) -> None:
        self.statuses[b"dst_1"] = encode(newest)

    def restart(self) -> Self:
        self.watch = Watch(
            Topics(),
            1,
            Desk("alerts@example.com", self.operators),
            sight=Sight(
                lambda: [*self.revisions, *self.statuses], self.revisions.get, self.statuses.get, self.workspaces.get
            ),
            post=self.server,
            append=self.append,
            metrics=self.metrics,
            now=lambda: self.now,
        )
        self.watch.learn(POLICY)
        self.watch.take({0: dict(self.told)})
        return self

    async def append(self, record: Append) -> None:
        if self.fail_append:
            raise ConnectionError
        assert record.value is not None
        if record.topic == "audit.alerts":
            self.told[record.key.decode()] = decode_as(Alerted, record.value)
        else:
            self.revisions[record.key] = record.value

    async def look(self, minutes: int = 0) -> list[tuple[list[str], str]]:
        """What is sent in `minutes` from now on, to whom and under which id."""
        before = len(self.server.sent)
        for _ in range(minutes):
            await self.watch.round()
            self.now += MINUTE_MS
        await self.watch.round()
        return [(to, email["Message-ID"]) for to, email in self.server.sent[before:]]


async def test_it_is_told_once_and_a_restart_does_not_repeat_it() -> None:
    bench = Bench(failing())
    ((to, _),) = await bench.look(minutes=90)
    assert to == [OWNER]
    assert await bench.restart().look(minutes=90) == []


async def test_a_crash_before_it_is_written_down_repeats_the_same_message() -> None:
    bench = Bench(failing())
    bench.fail_append = True
    with pytest.raises(ConnectionError):
        await bench.look()
    bench.fail_append = False
    bench.now += 7 * MINUTE_MS
    again = await bench.restart().look(minutes=30)
    assert [identity for _, identity in again] == [bench.server.sent[0][1]["Message-ID"]]


async def test_a_closed_server_delays_and_loses_nothing() -> None:
    bench = Bench(failing())
    bench.server.closed = True
    assert await bench.look(minutes=200) == []
    assert bench.told == {}
    bench.server.closed = False
    assert len(await bench.look(minutes=10)) == 1


async def test_a_closed_server_is_asked_again_soon_and_then_less_often() -> None:
    bench = Bench(failing())
    bench.server.closed = True
    await bench.look()
    await bench.look()
    assert bench.server.asked == 1
    bench.now += 2_000
    await bench.look()
    assert bench.server.asked == 2
    await bench.look(minutes=60)
    assert 12 <= bench.server.asked <= 20


async def test_who_does_not_take_it_yet_gets_the_very_same_later_and_the_others_nothing_more() -> None:
    bench = Bench(failing(), alert_to=[OWNER, OTHER])
    bench.server.answers = {OTHER: 451}
    assert [to for to, _ in await bench.look(minutes=5)] == [[OWNER]]
    bench.server.answers = {}
    assert [to for to, _ in await bench.look(minutes=30)] == [[OTHER]]
    assert bench.server.sent[0][1] is bench.server.sent[1][1]
    assert bench.told["dst_1"].number == 1


async def test_who_never_takes_it_is_not_waited_for() -> None:
    bench = Bench(failing(), alert_to=[OWNER, OTHER])
    bench.server.answers = {OTHER: 550}
    assert [to for to, _ in await bench.look()] == [[OWNER]]
    assert bench.told["dst_1"].number == 1
    bench = Bench(failing(), alert_to=[OWNER, OTHER])
    bench.server.answers = {OTHER: 451}
    await bench.look(minutes=150)
    assert [to for to, _ in bench.server.sent] == [[OWNER]]
    assert bench.told["dst_1"].number == 1


async def test_operators_are_told_when_all_owners_refuse_and_when_there_are_none() -> None:
    bench = Bench(failing(), operators=[OPERATOR])
    bench.server.answers = {OWNER: 550}
    ((to, _),) = await bench.look(minutes=10)
    assert to == [OPERATOR]
    assert OWNER in bench.server.sent[0][1].get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has one
    bench = Bench(failing(), operators=[OWNER])
    bench.server.answers = {OWNER: 550}
    await bench.look()
    assert bench.server.asked == 1, "an operator who has refused it already is not asked again"
    bench = Bench(failing(), operators=[OPERATOR], alert_to=["no address\r\nBcc: x@example.com"])
    ((to, _),) = await bench.look(minutes=10)
    assert to == [OPERATOR]


async def test_owners_are_told_of_their_plan_and_of_all_else_only_if_nobody_else_is() -> None:
    bench = Bench(working(), entitled=False, operators=[OPERATOR])
    bench.workspaces[b"ws_1"] = encode(workspace(owners=[ADA, OWNER]))
    ((to, _),) = await bench.look(minutes=90)
    assert to == [ADA, OWNER]
    bench.status(failing())
    ((to, _),) = await bench.look(minutes=90)
    assert to == [OWNER], "the destination's own address is enough"

    bench = Bench(failing(), alert_to=[], operators=[OPERATOR])
    bench.workspaces[b"ws_1"] = encode(workspace())
    ((to, _),) = await bench.look(minutes=10)
    assert to == [ADA]

    bench = Bench(failing(), operators=[OPERATOR])
    bench.workspaces[b"ws_1"] = encode(workspace())
    bench.server.answers = {OWNER: 550}
    ((to, _),) = await bench.look(minutes=10)
    assert to == [ADA]
    bench = Bench(failing(), operators=[OPERATOR])
    bench.workspaces[b"ws_1"] = encode(workspace())
    bench.server.answers = {OWNER: 550, ADA: 550}
    ((to, _),) = await bench.look(minutes=10)
    assert to == [OPERATOR]


async def test_a_workspace_that_cannot_be_read_keeps_no_alert_from_being_told() -> None:
    bench = Bench(failing())
    bench.workspaces[b"ws_1"] = b"junk"
    assert [to for to, _ in await bench.look()] == [[OWNER]]


async def test_what_nobody_takes_stays_to_be_told() -> None:
    bench = Bench(failing())
    bench.server.answers = {OWNER: 550}
    assert await bench.look(minutes=300) == []
    bench.server.answers = {}
    assert len(await bench.look(minutes=61)) == 1


async def test_without_any_address_there_is_a_line_in_the_log_and_no_pause(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(failing(failing_since=NOW - 30 * DAY_MS), alert_to=[])
    for _ in range(48):
        bench.now += HOUR_MS
        bench.status(failing(failing_since=NOW - 30 * DAY_MS, last=Attempt(at=bench.now, latency_ms=1)))
        assert await bench.look() == []
    assert [record.message for record in caplog.records] == ["alert.nobody_to_tell"]
    assert not decode_as(Revision, bench.revisions[b"dst_1"]).paused


async def test_what_fails_for_days_is_paused_by_a_verdict_that_a_person_can_overrule() -> None:
    bench = Bench(failing(dead_letters=0, last_dead_letter=None))
    begun = NOW - HOUR_MS
    for _ in range(6 * 24):
        bench.now += HOUR_MS
        last = Attempt(at=bench.now, latency_ms=1)
        bench.status(failing(dead_letters=0, last_dead_letter=None, failing_since=begun, last=last))
        await bench.look()
    subjects = [email["Subject"] for _, email in bench.server.sent]
    assert [subject.split()[1] for subject in subjects] == ["Will", "Will", "Paused:"]
    verdict = decode_as(Revision, bench.revisions[b"dst_1"])
    assert verdict == replace(
        revision(), number=4, nonce=verdict.nonce, changed_at=verdict.changed_at, paused=True, because="failing"
    )
    assert bench.metrics.registry.get_sample_value("auditcast_alerts_destinations_paused_total") == 1
    assert verdict.order < (4, "00")
    assert len(verdict.nonce) == 17


async def test_a_verdict_that_is_not_read_back_yet_is_not_given_again() -> None:
    bench = Bench(failing(failing_since=NOW - 9 * DAY_MS, dead_letters=0, last_dead_letter=None))
    bench.told = {
        "dst_1": Alerted(
            destination="dst_1",
            at=NOW - DAY_MS,
            number=2,
            warnings=2,
            warned_at=NOW - 3 * DAY_MS,
            failing_from=NOW - 9 * DAY_MS,
        )
    }
    before = bench.revisions[b"dst_1"]
    await bench.restart().look()
    assert bench.revisions[b"dst_1"] != before
    bench.revisions[b"dst_1"] = before
    await bench.look(minutes=5)
    assert bench.revisions[b"dst_1"] == before


async def test_letters_about_to_expire_are_told_of() -> None:
    bench = Bench(working())
    assert await bench.look(minutes=2) == []
    bench.watch.learn_ageing({"dst_1": Ageing(2, NOW - 24 * DAY_MS)})
    assert len(await bench.look(minutes=2)) == 1
    assert "expire in 5 d 23 h: SIEM (dst_1), 2 batches not delivered" in bench.server.sent[0][1]["Subject"]


async def test_partitions_are_given_up_after_the_email_on_its_way() -> None:
    bench = Bench(failing())
    bench.server.hold = asyncio.Event()
    looking = asyncio.create_task(bench.watch.round())
    await bench.server.begun.wait()
    giving = asyncio.create_task(bench.watch.give([0], 60))
    await asyncio.sleep(0)
    assert not giving.done()
    bench.server.hold.set()
    await asyncio.gather(looking, giving)
    assert bench.told["dst_1"].number == 1
    bench.now += 99 * HOUR_MS
    bench.status(failing(dead_letters=99))
    assert await bench.look() == []


async def test_an_email_that_is_late_for_a_rebalance_is_not_written_down() -> None:
    """Whoever has the partition by then may have written down more; it sends the same message again."""
    bench = Bench(failing())
    bench.server.hold = asyncio.Event()
    looking = asyncio.create_task(bench.watch.round())
    await bench.server.begun.wait()
    await bench.watch.give([0], 0)
    bench.server.hold.set()
    await looking
    assert bench.told == {}
    assert len(bench.server.sent) == 1


async def test_a_record_that_cannot_be_read_spoils_nothing_else() -> None:
    bench = Bench(failing())
    bench.statuses[b"dst_2"] = b"junk"
    bench.revisions[b"dst_2"] = encode(revision(destination="dst_2"))
    bench.revisions[b"dst_3"] = b"junk"
    bench.revisions[b"\xff"] = b"junk"
    assert len(await bench.look()) == 1


@pytest.mark.parametrize(
    ("answers", "to", "outcome"),
    [
        ({}, [OWNER, OTHER], "sent"),
        ({OTHER: 550}, [OWNER, OTHER], "sent"),
        ({OTHER: 451}, [OWNER, OTHER], "partly"),
        ({OWNER: 550, OTHER: 451}, [OWNER, OTHER], "refused"),
        ({}, [], "nobody"),
    ],
)
async def test_what_becomes_of_an_email_is_counted_by_its_kind(
    answers: dict[str, int], to: list[str], outcome: str
) -> None:
    bench = Bench(failing(), alert_to=to)
    bench.server.closed = bool(to)
    await bench.look()
    bench.server.closed, bench.server.answers = False, answers
    await bench.look(minutes=1)
    emails = next(family for family in bench.metrics.registry.collect() if family.name == "auditcast_alerts_emails")
    counted = {tuple(each.labels.values()): each.value for each in emails.samples if each.name.endswith("_total")}
    closed = {("undelivered", "closed"): 1} if to else {}
    assert {labels: number for labels, number in counted.items() if number} == closed | {("undelivered", outcome): 1}
