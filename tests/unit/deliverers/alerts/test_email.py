"""What an email says, and what it must never say or be talked into."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditcast.deliverers.alerts.alert import DAY_MS, HOUR_MS, Ageing, Situation
from auditcast.deliverers.alerts.envelope import Desk
from auditcast.deliverers.alerts.evaluation import evaluate
from auditcast.deliverers.alerts.phrases import ago, clean, lasting
from auditcast.schemas.records import Alerted, Attempt
from tests.unit.deliverers.alerts.situations import NOTHING, NOW, POLICY, failing, revision, working, workspace

OUTAGE = Alerted(
    destination="dst_1", at=NOW - 3 * HOUR_MS, number=2, outage=1, outage_since=NOW - 4 * HOUR_MS, outage_letters=3,
    dead_letters=3, last_dead_letter=NOW,
)  # fmt: skip
GONE = {"state": "disabled", "because": "gone", "nonce": "-1"}
CASES: dict[str, tuple[Situation, Alerted, str]] = {
    "undelivered": (
        Situation(revision=revision(), status=failing()),
        NOTHING,
        "[auditcast] 3 batches not delivered: SIEM (dst_1), failing since 21 Nov 09:55 UTC",
    ),
    "still": (
        Situation(revision=revision(), status=failing(dead_letters=1200)),
        OUTAGE,
        "[auditcast] Still failing, 1,200 batches not delivered: SIEM (dst_1), since 21 Nov 09:55 UTC",
    ),
    "refused": (
        Situation(revision=revision(description=""), status=working(dead_letters=1, last_dead_letter=NOW)),
        NOTHING,
        "[auditcast] 1 batch not delivered: dst_1, others get through",
    ),
    "warning": (
        Situation(revision=revision(), status=failing(failing_since=NOW - 3 * DAY_MS)),
        OUTAGE,
        "[auditcast] Will be paused in 2 d: SIEM (dst_1), nothing but failures since 18 Nov 13:55 UTC",
    ),
    "paused": (
        Situation(revision=revision(paused=True, because="failing", nonce="-1"), status=failing()),
        OUTAGE,
        "[auditcast] Paused: SIEM (dst_1), nothing but failures since 21 Nov 09:55 UTC",
    ),
    "gone": (
        Situation(revision=revision(**GONE), status=failing()),
        NOTHING,
        "[auditcast] Disabled: SIEM (dst_1), the receiver answered 410 Gone",
    ),
    "expiring": (
        Situation(
            revision=revision(paused=True),
            status=working(parked=34, parked_events=3400, parked_since=NOW - 29 * DAY_MS - HOUR_MS),
            ageing=Ageing(2, NOW - 24 * DAY_MS),
        ),
        NOTHING,
        "[auditcast] Events expire in 23 h: SIEM (dst_1), 34 batches (3,400 events) not delivered",
    ),
    "not-entitled": (
        Situation(revision=revision(entitled=False), status=working(), workspace=workspace()),
        NOTHING,
        "[auditcast] Stopped: SIEM (dst_1), the plan free does not forward audit events",
    ),
    "entitled": (
        Situation(revision=revision(), status=working(), workspace=workspace(plan="enterprise", entitled=True)),
        Alerted(destination="dst_1", at=0, number=1, unentitled=True),
        "[auditcast] Entitled again: SIEM (dst_1), new events are collected",
    ),
    "recovered": (
        Situation(revision=revision(), status=working()),
        OUTAGE,
        "[auditcast] Works again: SIEM (dst_1), 3 batches to be sent again",
    ),
}


def sent(situation: Situation, told: Alerted = NOTHING) -> EmailMessage:
    """The email as a mailbox gets it."""
    alert = evaluate(situation, told, POLICY, NOW)
    assert alert is not None
    email = (
        Desk("alerts@example.com", ("ops@example.com",), "https://audit.example.com/")
        .envelope(alert, situation, NOW)
        .email
    )
    assert email is not None
    read = message_from_bytes(email.as_bytes(), policy=policy.default)
    assert isinstance(read, EmailMessage)
    assert not read.defects
    return read


def part(email: EmailMessage, kind: str) -> str:
    body = email.get_body((kind,))
    assert body is not None
    return str(body.get_content())


@pytest.mark.parametrize("name", CASES)
def test_a_person_can_triage_it_and_knows_what_to_do(name: str) -> None:
    situation, told, subject = CASES[name]
    email = sent(situation, told)
    assert email["Subject"] == subject
    for kind in ("plain", "html"):
        body = part(email, kind)
        assert all(word in body for word in ("dst_1", "siem.example.com", "ws_1", "https://audit.example.com/dest"))
        assert "TOKEN" not in body
        commands = ["destinations enable"] if name == "gone" else []
        commands += ["destinations resume"] if name in {"paused", "expiring"} else []
        commands += ["destinations test"] if name not in {"recovered", "not-entitled", "entitled"} else []
        commands += ["dead-letters replay"] if name not in {"not-entitled", "entitled"} else []
        commands += ["auditcast workspaces set ws_1"] if name == "not-entitled" else []
        assert all(command in body for command in commands), body


def test_it_belongs_to_the_thread_of_its_outage_and_its_id_is_its_own() -> None:
    first = sent(*CASES["undelivered"][:2])
    later = sent(*CASES["still"][:2])
    assert later["In-Reply-To"] == later["References"] == first["Message-ID"] != later["Message-ID"]
    assert first["In-Reply-To"] is None
    assert first["Message-ID"] == sent(*CASES["undelivered"][:2])["Message-ID"]
    other = sent(Situation(revision=revision(epoch="e1"), status=failing()))
    assert other["Message-ID"] != first["Message-ID"]
    assert first["Auto-Submitted"] == "auto-generated"
    assert (first["To"], first["From"]) == ("owner@example.com", "auditcast <alerts@example.com>")


@pytest.mark.parametrize(
    "answer",
    [
        'you sent {"specversion":"1.0","id":"aud_1"}',
        '"{\\"actor\\":{\\"id\\":\\"usr_1\\"}}"',
        "type pro.atmos.lock.created",
    ],
)
def test_an_answer_that_repeats_events_is_not_shown(answer: str) -> None:
    status = failing(last=Attempt(at=NOW, latency_ms=1, status=400, answer=answer))
    email = sent(Situation(revision=revision(), status=status))
    for kind in ("plain", "html"):
        assert "repeats what it was sent" in part(email, kind).replace("\n", " ")
        assert not any(word in part(email, kind) for word in ("specversion", "usr_1", "lock.created"))


def test_a_workspace_has_its_name_and_leads_to_where_it_is() -> None:
    for name in ("not-entitled", "entitled"):
        email = sent(*CASES[name][:2])
        assert "Acme Platform, ws_1, https://platform.example.com/acme" in part(email, "plain")
        assert "https://platform.example.com/acme" in _Tags(part(email, "html")).links
    text = part(sent(*CASES["not-entitled"][:2]), "plain")
    assert "not entitled since 19 Nov 2026, 13:55 UTC" in text
    assert "LAST ANSWER" not in text
    failing_too = Situation(revision=revision(entitled=False), status=failing(), workspace=workspace())
    both = part(sent(failing_too), "plain")
    assert "3 batches used up all retries" in both
    assert "LAST ANSWER" in both


def test_an_organization_has_no_workspace_and_its_email_makes_sense_all_the_same() -> None:
    of_all = revision(workspace=None, organization="org_1", entitled=False)
    email = sent(Situation(revision=of_all, status=working()))
    text = part(email, "plain").replace("\n", " ")
    assert "No workspace of its organization is on a plan that forwards audit events." in text
    assert "org_1" in text


class _Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"}]


ENCODED = "=?utf-8?q?=0D=0ABcc:x=40example.com=0D=0A=0D=0ANothing_but_this?="
nasty = st.text(max_size=300) | st.sampled_from(
    ["\r\nBcc: x@example.com", "<script>x</script>", '"><img src=//x>', "{{ 7*7 }}", "\u202egnp.exe", ENCODED]
)


@pytest.mark.parametrize("text", [ENCODED, f"x{ENCODED}", "(=?us-ascii?b?DQpCY2M6IHg=?=)", f"é {ENCODED} é"])
def test_an_encoded_word_is_not_decoded_into_headers(text: str) -> None:
    plain = sent(Situation(revision=revision(), status=failing()))
    email = sent(Situation(revision=revision(description=text), status=failing()))
    assert email.keys() == plain.keys()
    assert text[:30].replace("=?", "= ?") in email["Subject"]


def test_an_address_that_is_an_encoded_word_gets_nothing_and_stops_nobody_else() -> None:
    words = [f"{before}=?utf-8?q?=0D=0AX=3Ay?=@example.com" for before in ("", "a", "a.")]
    email = sent(Situation(revision=revision(alert_to=[*words, "owner@example.com"]), status=failing()))
    assert email["To"] == "owner@example.com"


@pytest.mark.parametrize("since", [-1, 2**62])
def test_a_time_that_is_none_ends_no_process(since: int) -> None:
    stopped = revision(entitled=False)
    assert sent(Situation(revision=stopped, status=working(), workspace=workspace(since=since)))


@settings(deadline=None)
@given(nasty, nasty, nasty, nasty)
def test_nothing_that_others_wrote_becomes_a_header_or_markup(
    description: str, whose: str, answer: str, url: str
) -> None:
    plain = sent(Situation(revision=revision(), status=failing(), workspace=workspace(url="")))
    fields: dict[str, Any] = {"description": description, "workspace": whose or "w", "url": f"https://{url}"}
    status = failing(last=Attempt(at=NOW, latency_ms=1, status=500, answer=answer))
    about = workspace(name=description, plan=whose, url=f"https://{url} ")
    email = sent(Situation(revision=revision(**fields), status=status, workspace=about))
    assert email.keys() == plain.keys()
    assert "\n" not in email["Subject"]
    tags, known = _Tags(part(email, "html")), _Tags(part(plain, "html"))
    assert set(tags.tags) <= set(known.tags)
    assert tags.links == known.links
    assert "\u202e" not in part(email, "plain")


def test_phrases() -> None:
    assert clean("a\r\n b\x00\u202e\u200bc", 9) == "a b c"
    assert clean("abcdef", 4) == "abc…"
    assert [lasting(ms) for ms in (0, -5, 59_000, HOUR_MS, 25 * HOUR_MS, 2 * DAY_MS + 60_000)] == [
        "0 s", "0 s", "59 s", "1 h", "1 d 1 h", "2 d",
    ]  # fmt: skip
    assert ago(NOW - 90_000, NOW) == "21 Nov 2026, 13:53 UTC (1 min 30 s ago)"
