"""Logs as Datadog's own client takes them, and as an export gives them back."""

import json
import random
from typing import Any

import pytest
from datadog_api_client.exceptions import ApiTypeError
from datadog_api_client.v2.model.http_log_error import HTTPLogError
from datadog_api_client.v2.model.http_log_errors import HTTPLogErrors
from datadog_api_client.v2.model.http_log_item import HTTPLogItem

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.events import MAX_EVENT_BYTES
from auditcast.schemas.formats import FORMATS, TAKEN, rendering
from auditcast.schemas.formats.base import chosen
from auditcast.schemas.formats.datadog import restored
from auditcast.schemas.records import Option
from tests.bodies import joined
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

DATADOG = FORMATS["datadog/1"]


def logs(events: list[bytes], **options: str) -> list[dict[str, Any]]:
    read: list[dict[str, Any]] = json.loads(joined("datadog/1", events, GOLDEN_PLACE, options))
    return read


def event(**data: Any) -> bytes:
    members = json.loads(EVENTS[0])
    members["data"] |= data
    return admit(json.dumps(members, ensure_ascii=False).encode())[1]


def test_datadogs_own_client_takes_the_logs_as_they_are() -> None:
    for log in logs(EVENTS, tags="env:prod"):
        assert HTTPLogItem(**log).to_dict() == log
    with pytest.raises(ApiTypeError):
        HTTPLogItem(**log | {"ddtags": ["env:prod"]})


def test_a_log_is_found_without_a_pipeline() -> None:
    log = logs(EVENTS[:1], tags="env:prod", service="atmos", hostname="eu-1")[0]
    assert log["ddtags"] == "env:prod,category:workspace,action:created,outcome:failure,workspace:ws_1"
    assert (log["service"], log["hostname"], log["ddsource"]) == ("atmos", "eu-1", "auditcast")
    assert (log["event_id"], log["event_type"]) == ("aud_1", "pro.atmos.workspace.created")
    assert log["timestamp"] == 1_736_937_000_000


def test_a_failure_is_never_taken_for_an_emergency() -> None:
    statuses = {
        status: [log["status"] for log in logs(EVENTS[:2], failure_status=status)] for status in ("error", "warn")
    }
    assert statuses == {"error": ["error", "info"], "warn": ["warn", "info"]}
    with pytest.raises(InvalidDestination, match="failure_status"):
        chosen(DATADOG.options, {"failure_status": "failure"})


def test_a_description_puts_nothing_in_place_of_the_events_own_attributes() -> None:
    [log] = logs([event(description=' {"service":"other","status":"emergency"}')])
    assert (
        log["message"]
        == 'a@example.com (Ä) workspace.created workspace ws_2 (Two):  {"service":"other","status":"emergency"}'
    )
    [log] = logs([event(ddtags="other", status="emergency", service="other", audit={"event": 1})])
    assert (log["status"], log["service"], log["audit"]["event"]) == ("error", "audit", 99)
    assert log["other"]["status"] == "emergency"


def test_tags_cannot_be_forged_by_what_stands_in_them() -> None:
    [log] = logs([event(action={"category": "a,env:prod", "action": "x" * 256})])
    assert log["ddtags"].split(",")[0] == "category:a_env:prod"
    assert max(len(tag) for tag in log["ddtags"].split(",")) == 200


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "\\" * 125_000, "\x01" * 40_000, "\u2028" * 80_000, "\U0001f600" * 60_000]
)
def test_no_log_is_so_large_that_it_would_be_cut(text: str) -> None:
    raw = event(metadata={"text": text})
    assert len(raw) > 0.75 * MAX_EVENT_BYTES
    assert len(joined("datadog/1", [raw], GOLDEN_PLACE)) < DATADOG.max_body_bytes


def exported(log: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A log as an export has it: what the intake takes out of it is gone, the rest in another order and spelling."""
    taken = ("ddsource", "ddtags", "hostname", "service", "status", "timestamp", "message")

    def shuffled(value: Any) -> Any:
        if isinstance(value, dict):
            names = random.Random(7).sample(sorted(value), len(value))
            return {name: shuffled(value[name]) for name in names}
        if isinstance(value, int | float) and not isinstance(value, bool):
            double = float(value)  # as JavaScript has every number
            return int(double) if double.is_integer() else double
        return [shuffled(each) for each in value] if isinstance(value, list) else value

    return log["message"], shuffled({name: value for name, value in log.items() if name not in taken})


def test_an_exported_log_leads_back_to_the_bytes_that_were_sent() -> None:
    numbers = {"z": 1.0, "a": 2**63 - 1, "é": 1e300, "\uffff": -0.0, "\U0001f600": 1.5, "deep": {"b": [1e16], "a": 0}}
    events = [*EVENTS, event(metadata=numbers, description=None)]
    body = joined("datadog/1", events, GOLDEN_PLACE, {"tags": "env:prod,team:x"})
    pieces = DATADOG.pieces(body).items
    assert [restored(*exported(log)) for log in json.loads(body)] == pieces
    first = json.loads(pieces[0])
    first["actor"]["id"] = "usr_2"
    assert restored(*exported(first)) != pieces[0]
    for broken in ({}, {"audit": {}, "envelope": {}}, {"audit": None, "envelope": []}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            restored("", broken)


def test_only_a_202_is_a_success() -> None:
    assert DATADOG.judge(202, b"{}", 3) == TAKEN
    assert [DATADOG.judge(status, b"{}", 3) for status in (200, 204, 400, 403, 408, 413, 429, 500)] == [None] * 8


def test_what_datadog_itself_cannot_read_is_not_sent_again() -> None:
    refusal = HTTPLogErrors(errors=[HTTPLogError(detail="Malformed payload", status="400", title="Bad Request")])
    judgement = DATADOG.judge(400, json.dumps(refusal.to_dict()).encode(), 3)
    assert judgement is not None
    assert judgement.never == ((0, 2),)
    assert DATADOG.judge(400, b"<html>a proxy's page</html>", 3) is None


def test_options_are_part_of_the_rendering() -> None:
    assert rendering("datadog/1", [Option("service", "a")]) is rendering("datadog/1", [Option("service", "a")])
    for value in ("env:prod,", ",", "env:prod team:x", "1a", "a," * 20 + "a"):
        with pytest.raises(InvalidDestination, match="tags"):
            chosen(DATADOG.options, {"tags": value})
