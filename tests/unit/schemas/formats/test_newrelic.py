"""Logs as New Relic's own SDK writes them, with all that an event holds."""

import gzip
import json
from typing import Any

import pytest
from newrelic_telemetry_sdk import Log, LogClient
from urllib3 import HTTPResponse

from auditcast.schemas.admission import admit
from auditcast.schemas.events import MAX_EVENT_BYTES
from auditcast.schemas.formats import FORMATS, TAKEN
from tests.bodies import joined
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

NEWRELIC = FORMATS["newrelic/1"]


class Recorder:
    """Stands for the SDK's connections; keeps what it sends."""

    sent: bytes = b""

    def __init__(self, headers: Any, **_: Any) -> None:
        self.headers = headers

    def urlopen(self, method: str, path: str, *, body: bytes, **_: Any) -> HTTPResponse:
        assert (method, path) == ("POST", "/log/v1")
        Recorder.sent = gzip.decompress(body)
        return HTTPResponse(status=202)


class Recorded(LogClient):
    POOL_CLS = Recorder


def attributes(raw: bytes) -> dict[str, Any]:
    """Of a log in a body of one, with those that are common to all."""
    [batch] = json.loads(joined("newrelic/1", [raw], GOLDEN_PLACE))
    found: dict[str, Any] = batch["common"]["attributes"] | batch["logs"][0]["attributes"]
    return found


def event(**data: Any) -> bytes:
    members = json.loads(EVENTS[0])
    members["data"] |= data
    return admit(json.dumps(members, ensure_ascii=False).encode())[1]


def test_a_body_is_what_their_own_sdk_sends() -> None:
    body = json.loads(joined("newrelic/1", EVENTS, GOLDEN_PLACE))
    [batch] = body
    logs = [Log(log["message"], log["timestamp"], **log["attributes"]) for log in batch["logs"]]
    client = Recorded("key")
    client.send_batch(logs, batch["common"])
    assert json.loads(Recorder.sent) == body
    assert {header.name for header in NEWRELIC.required_headers} <= set(client._pool.headers)


def test_what_new_relic_would_drop_or_cut_is_written_so_that_it_does_not() -> None:
    long, many = "é" * 100_000, {f"name {number}": number for number in range(101)}
    found = attributes(event(metadata={"long": long, "list": [1, {"b": None, "a": 2.0}], "none": None, "n" * 255: 1}))
    texts = {name: value for name, value in found.items() if name.startswith("metadata")}
    assert json.loads("".join(texts.values())) == {
        "long": long,
        "list": [1, {"b": None, "a": 2}],
        "none": None,
        "n" * 255: 1,
    }
    assert list(texts) == ["metadata", "metadata.2", "metadata.3", "metadata.4"]
    assert json.loads(attributes(event(metadata=many))["metadata"]) == many
    found = attributes(event(metadata={"long": long, "list": [], "none": None}))
    assert "".join(found[name] for name in ("metadata.long", *(f"metadata.long.{n}" for n in (2, 3, 4)))) == long
    assert (found["metadata.list"], "metadata.none" in found) == ("[]", False)


def test_two_values_never_share_a_name() -> None:
    long = "a" * 40_000
    found = attributes(event(metadata={"a": long, "a.2": "mine"}))
    assert json.loads(found["metadata"] + found["metadata.2"]) == {"a": long, "a.2": "mine"}


@pytest.mark.parametrize(
    "data",
    [
        {"metadata": {str(number): [number] for number in range(100)}, "x": 1},
        {name: {str(number): "a" for number in range(20)} | {"id": "a", "type": "a"} for name in ("actor", "target")}
        | {"action": {"category": "a", "action": "b"} | {str(number): "a" for number in range(18)}}
        | {"metadata": {str(number): "a" * 2_400 for number in range(100)}},
        {"metadata": {str(number): number for number in range(10_000)}},
        {"metadata": {"quotes": ['"\\'] * 30_000}},
        {f"x{number}": number for number in range(1_000)},
        {"metadata": {"a" * 256: 1, "b" * 100_000: 2}},
    ],
)
def test_no_event_is_more_than_new_relic_takes(data: dict[str, Any]) -> None:
    raw = event(**data)
    assert len(raw) <= MAX_EVENT_BYTES
    found = attributes(raw)
    assert len(found) + 2 <= 255
    assert all(len(name) <= 255 for name in found)
    assert all(isinstance(value, str | int | float) and len(str(value).encode()) <= 128_000 for value in found.values())
    assert len(joined("newrelic/1", [raw], GOLDEN_PLACE)) < NEWRELIC.max_body_bytes


def test_any_2xx_is_a_success() -> None:
    assert NEWRELIC.judge(202, b'{"requestId":"1"}', 3) == TAKEN
    assert NEWRELIC.judge(403, b"{}", 3) is None
