"""The door's rules one by one: the edge cases of JSON, of CloudEvents and of its Kafka binding."""

import json
from copy import deepcopy
from typing import Any

import pytest

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import EventTooLarge, InvalidEvent, Undecodable
from auditcast.schemas.events import MAX_EVENT_BYTES

EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "aud_1",
    "source": "https://atmos-pro.com/workspaces/ws_1",
    "type": "pro.atmos.workspace.created",
    "time": "2025-01-15T10:30:00.000Z",
    "subject": "ws_2",
    "datacontenttype": "application/json",
    "data": {
        "actor": {"id": "usr_1", "type": "user"},
        "action": {"category": "workspace", "action": "created"},
        "target": {"type": "workspace", "id": "ws_2"},
        "description": None,
        "metadata": {},
        "outcome": "success",
    },
    "workspaceid": "ws_1",
}
MINIMAL = json.dumps(EVENT, separators=(",", ":")).encode()
DATA = json.dumps(EVENT["data"]).encode()
HEADERS = [(f"ce_{name}", value.encode()) for name, value in EVENT.items() if name not in {"data", "datacontenttype"}]
BINARY = [*HEADERS, ("content-type", b"application/json")]


def changed(**attributes: Any) -> dict[str, Any]:
    """The event with other attributes; None stands for absent."""
    members = deepcopy(EVENT) | attributes
    return {name: value for name, value in members.items() if value is not None}


def with_metadata(text: str) -> bytes:
    return MINIMAL.replace(b'"metadata":{}', b'"metadata":{"a":%b}' % text.encode())


def test_the_minimal_form_is_joined_as_it_is() -> None:
    assert admit(MINIMAL)[1] is MINIMAL
    assert admit(MINIMAL, [("content-type", b"application/cloudevents+json")])[1] is MINIMAL


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("NaN", "NaN is no JSON"),
        ("-Infinity", "-Infinity is no JSON"),
        ("1e400", "the number 1e400 is more than a double can hold"),
        ("1e-400", "the number 1e-400 is more than a double can hold"),
        ("1" + "0" * 20, "has more than 64 bits"),
        ("18446744073709551616", "has more than 64 bits"),
        ("-9223372036854775809", "has more than 64 bits"),
        ("0.1234567890123456789", "is more than a double can hold"),
        ("01", "this is no JSON"),
        (".5", "this is no JSON"),
        ("'a'", "this is no JSON"),
        ("[1,]", "this is no JSON"),
        ('"\t"', "this is no JSON: invalid control character"),
        ('"\\x41"', "this is no JSON: invalid"),
        ('"\\ud800"', "lone surrogate"),
        ('{"\\ud800":1}', "lone surrogate"),
        ('"\\udc00\\ud800"', "lone surrogate"),
        ('{"b":1,"b":1}', "the name 'b' stands twice"),
        ('{"b":1,"\\u0062":2}', "the name 'b' stands twice"),
        ("[" * 30 + "]" * 30, "nest more than 32 deep"),
        ("[" * 100_000, "nest more than 32 deep"),
    ],
)
def test_json_that_parsers_read_differently_is_refused(text: str, problem: str) -> None:
    with pytest.raises(Undecodable, match=problem) as refusal:
        admit(with_metadata(text))
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("0.10000000000000001", "0.1"),
        ("1E2", "100.0"),
        ("1e-7", "1e-7"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("0e99999", "0.0"),
        ("5e-324", "5e-324"),
        ('"\\ud83d\\ude00"', '"😀"'),
        ('"\\/\\u2028\\u0000"', '"/\u2028\\u0000"'),
        ("[" * 29 + "]" * 29, "[" * 29 + "]" * 29),
        ('{"":{}}', '{"":{}}'),
    ],
)
def test_json_that_all_parsers_read_alike_is_written_anew(text: str, written: str) -> None:
    assert admit(with_metadata(text))[1] == with_metadata(written)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (b"", "this is no JSON: expecting value, at character 0"),
        (b"\xef\xbb\xbf" + MINIMAL, "byte order mark"),
        (MINIMAL.decode().encode("utf-16"), "byte 0 of the JSON text is not UTF-8"),
        (MINIMAL + b"\x00", "this is no JSON: extra data"),
        (MINIMAL * 2, "this is no JSON: extra data"),
        (MINIMAL[:-1] + b',"unknown":"\xff"}', "is not UTF-8"),
        (b"[%b]" % MINIMAL, "an event is a JSON object, one a record"),
        (b"null", "an event is a JSON object, one a record"),
    ],
)
def test_what_is_no_json_object_is_refused(value: bytes, problem: str) -> None:
    with pytest.raises(Undecodable, match=problem):
        admit(value)


@pytest.mark.parametrize(
    ("attributes", "sentence"),
    [
        ({"specversion": "0.3"}, "specversion: must be 1.0"),
        ({"specversion": None}, "specversion: is missing"),
        ({"id": None}, "id: is missing"),
        ({"id": ""}, "id: expected `str` of length >= 1"),
        ({"id": "a\n"}, "id: holds a control or another character"),
        ({"source": "a\x85"}, "source: holds a control or another character"),
        ({"subject": "a\x7f"}, "subject: holds a control or another character"),
        ({"workspaceid": "a\x7f"}, "workspaceid: holds a control or another character"),
        ({"organizationid": "\uffff"}, "organizationid: holds a control or another character"),
        ({"type": 3}, "type: expected `str`, got `int`"),
        ({"workspaceid": None}, "workspaceid: is missing"),
        ({"time": None}, "time: is missing"),
        ({"time": "2025-01-15 10:30:00Z"}, "time: '2025-01-15 10:30:00Z' is no RFC 3339 time"),
        ({"time": "2025-02-30T10:30:00Z"}, "time: '2025-02-30T10:30:00' is no date and time that exists"),
        ({"time": "2025-01-15T10:30:00"}, "time: .* is no RFC 3339 time"),
        ({"time": "0001-01-01T00:00:00+00:01"}, "time: .* outside the years 1 to 9999"),
        ({"datacontenttype": "text/xml"}, "datacontenttype: must be application/json"),
        ({"data": None}, "data: is missing"),
        ({"data": "{}"}, "data: must be a JSON object"),
        ({"data": {}}, "data.actor: is missing"),
        ({"data_base64": "e30="}, "data_base64: an audit event's data is a JSON object"),
        ({"sequence": "1"}, "sequence: the pipeline keeps this name for itself"),
        ({"sequencetype": "Integer"}, "sequencetype: the pipeline keeps this name for itself"),
        ({"auditchain": "x"}, "auditchain: the pipeline keeps this name for itself"),
        ({"Traceparent": "x"}, "'Traceparent': an attribute's name has only lower-case letters and digits"),
        ({"trace_parent": "x"}, "'trace_parent': an attribute's name"),
        ({"x": ""}, "x: is empty"),
        ({"x": 1.5}, "x: must be a string, an integer or a boolean"),
        ({"x": {}}, "x: must be a string, an integer or a boolean"),
        ({"x": 2**31}, "x: is an integer of more than 32 bits"),
    ],
)
def test_what_breaks_a_rule_of_cloudevents_is_refused(attributes: dict[str, Any], sentence: str) -> None:
    members = changed(**attributes)
    for value in (json.dumps(members), json.dumps(members, separators=(",", ":"), ensure_ascii=False)):
        with pytest.raises(InvalidEvent, match=f"^{sentence}") as refusal:
            admit(value.encode())
        assert refusal.value.field in sentence


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"time": "2025-01-15T12:30:00+02:00"}, {}),
        ({"time": "2025-01-14T18:30:00.0009-16:00"}, {}),
        ({"time": "2025-01-15t10:30:00z"}, {}),
        ({"datacontenttype": None}, {}),
        ({"datacontenttype": "Application/Vnd.Audit+JSON; charset=utf-8"}, {}),
        ({"subject": None}, {}),
        ({"subject": "as the emitter set it"}, {"subject": "as the emitter set it"}),
        ({"x": "a", "flag": True, "n": -(2**31)}, {"x": "a", "flag": True, "n": -(2**31)}),
        ({"organizationid": "org_1"}, {"organizationid": "org_1"}),
    ],
)
def test_what_cloudevents_leaves_open_is_brought_to_one_form(
    attributes: dict[str, Any], expected: dict[str, Any]
) -> None:
    raw = admit(json.dumps(changed(**attributes)).encode())[1]
    assert raw == json.dumps(EVENT | expected, separators=(",", ":")).encode()


def test_null_means_absent_where_a_member_may_be_absent() -> None:
    members = deepcopy(EVENT) | {"organizationid": None, "sequence": None}
    members["data"]["actor"] |= {"email": None, "x": None}
    members["data"] |= {"client": None, "outcome": None, "metadata": None}
    raw = admit(json.dumps(members).encode())[1]
    assert raw == MINIMAL.replace(b'"type":"user"', b'"type":"user","x":null')


def test_binary_mode_gives_the_same_bytes() -> None:
    assert admit(DATA, BINARY)[1] == MINIMAL
    assert admit(DATA, [*HEADERS, ("traceparent", b"\xff"), ("ce_note", b"%41 \xc3\xa9")])[1] == (
        MINIMAL[:-1] + ',"note":"%41 é"}'.encode()
    ), "the Kafka binding has no percent-encoding"


def test_a_content_type_of_cloudevents_means_structured_mode() -> None:
    structured = ("content-type", b"Application/CloudEvents+JSON; charset=UTF-8")
    assert admit(MINIMAL, [*HEADERS, structured])[1] is MINIMAL


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ([*BINARY, ("ce_id", b"again")], "ce_id: this header stands twice"),
        ([*BINARY, ("ce_datacontenttype", b"application/json")], "ce_datacontenttype: this header stands twice"),
        ([*BINARY, ("ce_data", b"{}")], "ce_data: this header stands twice"),
        ([*BINARY, ("ce_x", None)], "ce_x: this header has no value"),
        ([*BINARY, ("ce_x", b"\xff")], "ce_x: this header is not UTF-8"),
        ([*BINARY, ("ce_", b"x")], "'': an attribute's name"),
        ([*BINARY, ("ce_sequence", b"1")], "sequence: the pipeline keeps this name"),
        ([*HEADERS, ("content-type", b"application/avro")], "datacontenttype: must be application/json"),
        (
            [*HEADERS, ("content-type", b"application/cloudevents-batch+json")],
            "events of content-type application/cloudevents-batch\\+json are not taken",
        ),
    ],
)
def test_wrong_headers_are_refused(headers: list[tuple[str, bytes | None]], sentence: str) -> None:
    with pytest.raises((InvalidEvent, Undecodable), match=f"^{sentence}"):
        admit(DATA, headers)


def test_binary_mode_without_data_is_refused() -> None:
    with pytest.raises(InvalidEvent, match=r"^data: is missing"):
        admit(b"", BINARY)


def test_an_event_over_the_limit_is_refused_before_and_after_it_is_written_anew() -> None:
    spare = MAX_EVENT_BYTES - len(with_metadata('""'))
    largest = with_metadata(f'"{"x" * spare}"')
    assert admit(largest)[1] is largest
    with pytest.raises(EventTooLarge, match=f"has {MAX_EVENT_BYTES + 1} bytes, at most {MAX_EVENT_BYTES}"):
        admit(largest.replace(b"xx", b"xxx", 1))
    grown = largest.replace(b'"outcome":"success"', b'"outcome":null').replace(b"xx", b"x" * 7, 1)
    assert len(grown) == MAX_EVENT_BYTES
    with pytest.raises(EventTooLarge):
        admit(grown)
