"""What commands make of a destination: only what was chosen changes, nothing chosen changes nothing."""

import hmac
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from auditcast.console import revisions, telling
from auditcast.console.choices import Choices, Rules
from auditcast.console.headers import given_headers
from auditcast.console.revisions import AlreadyThere, Gone
from auditcast.console.sealed import open_headers, open_salt
from auditcast.console.showing import outcome, printable
from auditcast.console.trial import trial_batch
from auditcast.schemas import chain, events
from auditcast.schemas.errors import InvalidDestination, WrongSealingKey
from auditcast.schemas.records import Attempt, Revision, TestResult
from auditcast.schemas.sealing import Sealer, new_key

RULES = Rules(
    sealer=Sealer([new_key()]), allowed=(), base_url="https://platform.example", type_prefix="example.platform"
)
SECRET = "whsec_made-up"


def made(**choices: object) -> Revision:
    return revisions.created(
        "dst_1",
        workspace="ws_1",
        organization=None,
        choices=Choices(url="https://siem.example.com", **choices),  # type: ignore[arg-type]  # any of its fields
        rules=RULES,
        secret=SECRET,
        epoch="00",
    )


def edited(revision: Revision, **choices: object) -> Revision:
    return revisions.edited(revision, Choices(**choices), RULES)  # type: ignore[arg-type]  # any of its fields


def test_a_new_destination_has_the_defaults_and_opens_only_at_its_own_place() -> None:
    revision = made()
    assert (revision.window_events, revision.window_ms, revision.format) == (100, 30_000, "cloudevents/2")
    assert (revision.base_url, revision.type_prefix) == ("https://platform.example", "example.platform")
    assert RULES.sealer.open("dst_1/secret", revision.secret) == SECRET
    with pytest.raises(WrongSealingKey):
        RULES.sealer.open("dst_2/secret", revision.secret)


def test_an_edit_changes_what_was_chosen_and_nothing_else() -> None:
    before = made(description="SIEM", headers=[("X-Key", "a")])
    after = edited(before, window_events=5, window_seconds=2, url="https://other.example.com")
    assert after == replace(before, window_events=5, window_ms=2000, url="https://other.example.com/")


def test_headers_are_added_replaced_and_removed_by_name_in_any_case() -> None:
    before = made(headers=[("X-Key", "a"), ("Authorization", "Bearer b"), ("X-Old", "c")])
    after = edited(before, headers=[("x-key", "d"), ("X-New", "e")], without=["X-OLD", "X-Never"])
    opened = open_headers(after, RULES.sealer)
    assert opened == {"Authorization": "Bearer b", "x-key": "d", "X-New": "e"}
    with pytest.raises(InvalidDestination, match="at most 20"):
        edited(after, headers=[(f"X-{number}", "v") for number in range(18)])


def test_what_is_so_already_is_no_change() -> None:
    revision = made(description="SIEM", headers=[("X-Key", "a")])
    same = {"url": "https://SIEM.example.com:443", "description": "SIEM", "window_events": 100, "window_seconds": 30}
    assert edited(revision, **same, format="cloudevents", headers=[("X-Key", "a")], without=["X-Other"]) is revision
    assert revisions.enabled(revision) is revision
    off = revisions.disabled(revision)
    assert revisions.disabled(off) is off
    gone = revisions.deleted(off)
    assert revisions.deleted(gone) is gone


@pytest.mark.parametrize("because", ["gone", "failing"])
def test_a_change_by_a_person_ends_the_verdict_that_it_touches_and_no_other(because: str) -> None:
    state = "disabled" if because == "gone" else "active"
    judged = replace(made(), state=state, paused=because == "failing", because=because)
    assert edited(judged, description="a").because == because
    undone = (revisions.enabled if because == "gone" else revisions.resumed)(judged)
    assert (undone.state, undone.paused, undone.because) == ("active", False, "")
    untouched = (revisions.disabled if because == "gone" else revisions.paused)(judged)
    assert untouched is judged


def test_a_pause_and_a_state_leave_each_other_alone_until_the_end() -> None:
    off = revisions.disabled(revisions.paused(made()))
    assert (off.state, off.paused) == ("disabled", True)
    assert revisions.paused(off) is off
    assert revisions.enabled(off).paused
    assert revisions.resumed(off).state == "disabled"
    assert not revisions.deleted(off).paused, "nobody could resume it, and its backlog is owed"


def test_alert_addresses_are_added_and_removed_one_by_one() -> None:
    before = made(alert_to=["ops@example.com", "b@Bücher.example"])
    assert before.alert_to == ["ops@example.com", "b@xn--bcher-kva.example"]
    assert edited(before, alert_to=["ops@EXAMPLE.com"], no_alert_to=["nobody@example.com"]) is before
    after = edited(before, alert_to=["c@example.com"], no_alert_to=["OPS@example.com"])
    assert after.alert_to == ["b@xn--bcher-kva.example", "c@example.com"]
    with pytest.raises(InvalidDestination, match="at most 10"):
        edited(after, alert_to=[f"a{number}@example.com" for number in range(9)])


@pytest.mark.parametrize("said", [telling.enabled, telling.edited, telling.unchanged])
def test_who_touches_a_destination_that_is_held_back_is_told_how_to_let_it_go(said: Callable[[Revision], str]) -> None:
    assert "destinations resume dst_1" in said(replace(made(), paused=True))
    assert "destinations resume" not in said(made())
    gone = said(replace(made(), state="disabled", because="gone"))
    assert "destinations enable dst_1" in gone


def test_a_deleted_destination_can_only_be_deleted_again() -> None:
    gone = revisions.deleted(made())
    for change in (revisions.enabled, revisions.disabled, lambda revision: edited(revision, description="a")):
        with pytest.raises(Gone):
            change(gone)
    with pytest.raises(Gone):
        revisions.same_as(gone, made(), Choices(), RULES)


def test_adding_again_is_no_change_only_with_the_same_settings() -> None:
    there = replace(made(headers=[("X-Key", "a")]), number=3, nonce="f", state="disabled")
    assert revisions.same_as(there, made(headers=[("X-Key", "a")]), Choices(), RULES) is there
    for other in (made(), made(headers=[("X-Key", "b")]), made(headers=[("X-Key", "a")], window_events=1)):
        with pytest.raises(AlreadyThere):
            revisions.same_as(there, other, Choices(), RULES)


def test_adding_again_means_the_version_that_was_the_newest_then_unless_one_is_named() -> None:
    there = made(format="cloudevents/1")
    assert revisions.same_as(there, made(), Choices(), RULES) is there
    assert revisions.same_as(there, made(), Choices(format="cloudevents"), RULES) is there
    named = Choices(format="cloudevents/2")
    with pytest.raises(AlreadyThere):
        revisions.same_as(there, made(format="cloudevents/2"), named, RULES)


@pytest.mark.parametrize("given", [(["s3cr3t"], [], []), ([], ["s3cr3t"], []), ([], ["X-Key=s3cr3t"], [])])
def test_a_header_given_wrong_is_not_repeated(given: tuple[list[str], list[str], list[str]]) -> None:
    lines, from_env, _ = given
    with pytest.raises(InvalidDestination) as caught:
        given_headers(lines, from_env, [], {})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize("scope", [{"workspace": "ws 1/ü"}, {"workspace": None, "organization": "org_1"}])
def test_the_test_event_is_a_valid_event_outside_every_chain(scope: dict[str, str | None]) -> None:
    batch = trial_batch(replace(made(), number=4, nonce="ab", **scope), "test-1", 1_736_937_000_000)
    assert batch.is_test
    assert (batch.revision_number, batch.revision_nonce) == (4, "ab")
    assert batch.body_sha256 == chain.body_digest(batch.body)
    event = events.decode(batch.body[1:-1])
    assert event.type == "example.platform.auditcast.test"
    assert event.time == "2025-01-15T10:30:00.000Z"
    assert b'"sequence":"00000000000000000000"' in batch.body


def test_the_test_event_is_redacted_as_any_other_and_sent_whatever_the_filters_say() -> None:
    revision = made(hashed=["actor.id"], dropped=["description"], categories=["billing"], salt="c2FsdA==")
    salt = open_salt(revision, RULES.sealer)
    event = events.decode(trial_batch(revision, "test-1", 1_736_937_000_000, salt).body[1:-1])
    assert event.data.description is None
    assert event.data.actor.id == f"hmac-{hmac.digest(b'c2FsdA==', b'auditcast', 'sha256').hex()[:32]}"


def test_a_hostile_answer_cannot_touch_the_terminal() -> None:
    hostile = "ok\x1b]0;title\x07\x1b[2J\x9b1m\r\nnext\u202eline\u2028\x00\x7f"
    attempt = Attempt(at=0, latency_ms=12, status=200, answer=hostile, error="http-status", detail=hostile)
    shown = outcome(TestResult(batch="test-1", destination="dst_1", delivered=False, attempt=attempt), made())
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown.startswith("dst_1: not delivered, status 200, 12 ms\n")
    assert printable("Zürich ☃") == "Zürich ☃"
