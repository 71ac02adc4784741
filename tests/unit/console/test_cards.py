"""What people are told about how a destination fares, in the product's own words."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from auditcast.console.ago import ago, span
from auditcast.console.cards import card, table
from auditcast.console.statuses import LeftOut, state_of, summed
from auditcast.console.tables import render
from auditcast.schemas.records import Attempt, Option, Revision, Skipped, Status

NOW = 1_800_000_000_000
DAY = 86_400_000
REVISION = Revision(
    destination="dst_1", number=3, nonce="a", state="active", changed_at=0, epoch="00", workspace="ws_1"
)


def status(**fields: Any) -> Status:
    return Status(destination="dst_1", at=NOW, **fields)


def attempt(before: int, **fields: Any) -> Attempt:
    return Attempt(at=NOW - before, latency_ms=42, **fields)


@pytest.mark.parametrize(
    ("ms", "text"), [(-5, "0s"), (999, "0s"), (59_999, "59s"), (60_000, "1m"), (7_199_999, "1h"), (3 * DAY, "3d")]
)
def test_a_duration_is_said_in_its_largest_whole_unit(ms: int, text: str) -> None:
    assert span(ms) == text
    assert ago(NOW - ms, NOW) == f"{text} ago"


@pytest.mark.parametrize(
    ("changes", "fared", "state"),
    [
        ({}, None, "active"),
        ({}, {"failures": 0}, "active"),
        ({}, {"failures": 1}, "failing"),
        ({}, {"open": True}, "failing"),
        ({"paused": True}, {"failures": 1}, "paused"),
        ({"paused": True, "state": "disabled"}, None, "disabled"),
        ({"state": "disabled", "because": "gone"}, {"failures": 1}, "gone"),
        ({"state": "deleted"}, {"failures": 1}, "deleted"),
    ],
)
def test_the_state_is_the_gravest_thing_that_holds(
    changes: dict[str, Any], fared: dict[str, Any] | None, state: str
) -> None:
    assert state_of(replace(REVISION, **changes), None if fared is None else status(**fared)) == state


@pytest.mark.parametrize(
    ("fared", "words"),
    [
        (None, "never"),
        ({}, "never"),
        ({"last": attempt(125_000)}, "2m ago"),
        ({"last": attempt(3 * DAY), "failures": 1}, "3d ago (failed)"),
    ],
)
def test_the_last_delivery_is_said_as_on_the_settings_page(fared: dict[str, Any] | None, words: str) -> None:
    found = None if fared is None else status(**fared)
    shown = render(card(REVISION, found, LeftOut(), NOW))
    assert re.search(rf"Last delivery +{re.escape(words)}\n", shown)
    when, _, failed = words.partition(" ")
    listed = render(table([REVISION], {} if found is None else {"dst_1": found}, NOW))
    assert when in listed
    assert ("(failed)" in listed) == failed.endswith("(failed)")


def test_a_verdict_of_the_system_is_told_with_its_reason_and_its_remedy() -> None:
    paused = replace(REVISION, paused=True, because="failing")
    failing = status(last=attempt(0), failures=9, failing_since=NOW - 5 * DAY)
    shown = render(card(paused, failing, LeftOut(), NOW))
    assert "paused by auditcast: nothing but failures for 5 days; 'auditcast destinations resume dst_1'" in shown
    assert "paused by auditcast" not in render(card(replace(paused, because=""), failing, LeftOut(), NOW))
    gone = render(card(replace(REVISION, state="disabled", because="gone"), None, LeftOut(), NOW))
    assert "gone: the receiver answered 410; 'auditcast destinations enable dst_1'" in gone


def test_what_partitions_have_left_out_is_added_up() -> None:
    def counted(destination: str, events: int, since: int) -> Skipped:
        return Skipped(destination=destination, offset=0, since=since, events=events)

    found = summed([counted("dst_1", 4, 20), counted("dst_2", 1, 5), counted("dst_1", 3, 10)])
    assert found == {"dst_1": LeftOut(7, 10), "dst_2": LeftOut(1, 5)}


def test_what_a_destination_gets_and_how_is_shown_in_words() -> None:
    revision = replace(
        REVISION, url="https://hooks.example.com", sealed_url=b"x", format="cloudevents/2", asymmetric=True, gzip=True,
        options=[Option("content_type", "batch")], categories=["auth", "team_*"], outcome="failure",
        dropped=["client.ip"], hashed=["actor.email", "metadata.a\x1b"], manifests=True,
    )  # fmt: skip
    shown = dict(
        re.split(r"  +", line, maxsplit=1) for line in render(card(revision, None, LeftOut(), NOW)).splitlines()
    )
    assert shown["URL"] == "https://hooks.example.com (sealed)"
    assert shown["Format"] == "cloudevents/2 (any receiver of CloudEvents)"
    assert shown["Options"] == "content_type=batch"
    assert shown["Filters"] == "category auth or team_*; outcome failure"
    assert shown["Redacted"] == r"left out: client.ip; hashed: actor.email, metadata.a\x1b"
    assert shown["Signatures"] == "HMAC-SHA256, and Ed25519 (v1a)"
    assert shown["Besides"] == "gzip, manifests"
    bare = render(card(replace(REVISION, format="later/9"), None, LeftOut(), NOW))
    assert re.search(r"Format +later/9 \(not known here\)\n", bare)
    assert re.search(r"Filters +-\nRedacted +-\n", bare)
