"""Bodies as Loki's documentation asks for them; `make intakes` has Loki itself take them."""

import json
from typing import Any

import pytest

from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.formats import FORMATS, TAKEN
from auditcast.schemas.formats.base import chosen
from tests.bodies import joined
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

LOKI = FORMATS["loki/1"]


def stream(**options: str) -> dict[str, Any]:
    [found] = json.loads(joined("loki/1", EVENTS, GOLDEN_PLACE, options))["streams"]
    return dict(found)


def test_a_line_is_the_event_at_its_time_in_nanoseconds() -> None:
    values = stream()["values"]
    assert [line.encode() for _, line, _ in values] == EVENTS
    assert {ns for ns, _, _ in values} == {"1736937000000000000", "1736937000123000000"}


def test_the_place_is_metadata_and_all_of_it_text() -> None:
    assert stream()["values"][0][2] == {
        "audit_event": "99",
        "audit_stream": "dst_1-3-00ff00ff00ff00ff",
        "audit_batch": "7",
        "audit_opened": "1736937000456",
        "audit_gap": "1736936000000-1736937000000",
        "audit_previous": "5a" * 32,
    }
    assert all(len(value) == 2 for value in stream(structured_metadata="off")["values"])


def test_labels_are_those_that_were_chosen_and_no_others() -> None:
    assert stream()["stream"] == {"service_name": "auditcast"}
    assert stream(labels="job=a b,env=é]},x=1")["stream"] == {"job": "a b", "env": "é]}", "x": "1"}


@pytest.mark.parametrize(
    "labels",
    ["", "a", "a=", "=b", "1a=b", "__name__=b", "a=b,", 'a="b"', "a=b\n", "a= b", "é=b", ",".join(["a=b"] * 11)],
)
def test_labels_that_loki_would_refuse_are_refused_at_once(labels: str) -> None:
    with pytest.raises(InvalidDestination, match="labels cannot be"):
        chosen(LOKI.options, {"labels": labels})


@pytest.mark.parametrize("options", [{}, {"structured_metadata": "off"}, {"labels": "a=]}[values:[["}])
def test_a_part_has_the_same_labels(options: dict[str, str]) -> None:
    pieces = LOKI.pieces(joined("loki/1", EVENTS, GOLDEN_PLACE, options))
    part = json.loads(pieces.body(1, 2))["streams"][0]
    assert part == {**stream(**options), "values": stream(**options)["values"][1:3]}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"streams":[]}', b'{"streams":[{"stream":{},"values":[]},{}]}', b"[]"])
def test_other_bytes_are_no_body(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever the parser says)
        LOKI.pieces(body)


def test_a_blocked_tenant_has_taken_nothing_although_the_status_is_no_error() -> None:
    assert [LOKI.judge(status, b"", 3) for status in (200, 204)] == [TAKEN, TAKEN]
    assert [LOKI.judge(status, b"", 3) for status in (202, 260, 400, 429)] == [None] * 4
