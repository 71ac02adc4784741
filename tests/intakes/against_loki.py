"""`loki/1` delivered to Grafana Loki itself."""

import time
from typing import Any

import httpx
import pytest
import trustme

from auditcast.deliverers.outcomes import Verdict
from tests.intakes.samples import event
from tests.intakes.servers import customer

PUSH = "/loki/api/v1/push"
HUNDRED = 100


def stored(loki: str, tenant: str) -> list[tuple[bytes, dict[str, str]]]:
    """Each line that the tenant has, with its labels and its metadata."""
    start = int(time.time()) - 30 * 86_400 + 3600
    answer = httpx.get(
        f"{loki}/loki/api/v1/query_range",
        params={"query": '{service_name=~".+"}', "limit": 5000, "direction": "forward", "start": start},
        headers={"X-Scope-OrgID": tenant},
    )
    answer.raise_for_status()
    return [
        (line.encode(), found["stream"]) for found in answer.json()["data"]["result"] for _, line in found["values"]
    ]


@pytest.mark.parametrize("gzip", [False, True])
async def test_every_event_arrives_with_its_place_and_a_repeat_changes_nothing(
    loki: str, ca: trustme.CA, gzip: bool
) -> None:
    tenant = f"customer-{gzip}"
    events = [event(f"aud_{number}") for number in range(HUNDRED)]
    async with customer(ca, loki, "loki/1") as here:
        [piece] = await here.deliver(events, 7, path=PUSH, headers={"X-Scope-OrgID": tenant}, gzip=gzip)
        assert piece.outcome.verdict is Verdict.DELIVERED, piece.outcome
        found = stored(loki, tenant)
        numbers = {line: int(labels["audit_event"]) for line, labels in found}
        assert numbers == {raw: number for number, raw in enumerate(events, 7)}
        assert {(labels["service_name"], labels["audit_batch"]) for _, labels in found} == {("auditcast", "1")}
        [piece] = await here.repeat()
        assert piece.outcome.verdict is Verdict.DELIVERED, piece.outcome
    assert len(stored(loki, tenant)) == HUNDRED


@pytest.mark.parametrize(("age_h", "reason"), [(8 * 24, "timestamp too old"), (3, "too far behind")])
async def test_of_a_refused_request_the_good_events_are_stored_and_all_are_sent_again(
    loki: str, ca: trustme.CA, age_h: int, reason: str
) -> None:
    tenant = f"late-{age_h}"
    events = [event("aud_1"), event("aud_2", age_s=age_h * 3600), event("aud_3")]
    async with customer(ca, loki, "loki/1") as here:
        [piece] = await here.deliver(events, path=PUSH, headers={"X-Scope-OrgID": tenant})
    assert (piece.outcome.verdict, piece.outcome.reason) == (Verdict.RETRY, "status-400")
    assert piece.outcome.attempt is not None
    assert reason in piece.outcome.attempt.answer
    assert {line for line, _ in stored(loki, tenant)} == {events[0], events[2]}


async def test_a_tenant_that_may_not_write_has_taken_nothing(loki: str, ca: trustme.CA) -> None:
    async with customer(ca, loki, "loki/1") as here:
        [piece] = await here.deliver([event("aud_1")], path=PUSH, headers={"X-Scope-OrgID": "blocked"})
    assert piece.outcome.verdict is Verdict.RETRY
    assert piece.outcome.attempt is not None
    assert piece.outcome.attempt.status == 260


async def test_metadata_can_be_left_out_where_it_is_not_taken(loki: str, ca: trustme.CA) -> None:
    async with customer(ca, loki, "loki/1") as here:
        request: dict[str, Any] = {"path": PUSH, "headers": {"X-Scope-OrgID": "plain"}}
        [refused] = await here.deliver([event("aud_1")], **request)
        assert refused.outcome.verdict is Verdict.RETRY
        options = {"structured_metadata": "off", "labels": "service_name=é]},env=a b"}
        [piece] = await here.deliver([event("aud_2")], **request, options=options)
    assert piece.outcome.verdict is Verdict.DELIVERED, piece.outcome
    [(line, labels)] = stored(loki, "plain")
    assert b'"id":"aud_2"' in line
    assert labels | {"detected_level": ""} == {"service_name": "é]}", "env": "a b", "detected_level": ""}
