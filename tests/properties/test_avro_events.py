"""An event is the same event whether it travels as JSON or as Avro."""

import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditcast.schemas import events, wire
from auditcast.schemas.admission import admit
from auditcast.schemas.avro_events import from_cloudevent, to_cloudevent
from auditcast.schemas.errors import InvalidEvent, Refused, Undecodable
from auditcast.schemas.records import AuditEvent

BASE_URL, PREFIX = "https://platform.example", "com.example"

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=12)
names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=12)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def avro_events(draw: st.DrawFn) -> AuditEvent:
    """Valid events with `metadata` in the minimal form."""
    has_target = draw(st.booleans())
    fields: dict[str, Any] = {
        name: draw(texts)
        for name in ("id", "workspace", "actor_id", "actor_type") + ("target_type", "target_id") * has_target
    }
    for name in ("organization", "actor_email", "actor_name", "description", "user_agent") + (
        "target_name",
    ) * has_target:
        fields[name] = draw(st.none() | texts)
    return AuditEvent(
        **fields,
        category=draw(names),
        action=draw(names),
        occurred_at=draw(st.integers(-62_135_596_800_000, 253_402_300_799_999)),
        outcome=draw(st.sampled_from(["success", "failure"])),
        metadata=msgspec.json.encode(draw(st.dictionaries(texts, values, max_size=3))).decode(),
        ip=draw(st.none() | st.ip_addresses().map(str)),
    )


@given(avro_events())
def test_the_two_forms_say_the_same(event: AuditEvent) -> None:
    cloud_event = to_cloudevent(event, BASE_URL, PREFIX)
    assert from_cloudevent(cloud_event) == event
    assert wire.decode_as(AuditEvent, wire.encode(event)) == event

    raw = events.encode(cloud_event)
    admitted, joined = admit(raw)
    assert admitted == cloud_event
    assert joined is raw, "an event that came as Avro must be in the minimal form"

    members = json.loads(raw)
    assert members["type"] == f"com.example.{event.category}.{event.action}"
    assert members["data"]["metadata"] == json.loads(event.metadata)
    assert members.get("subject") == event.target_id


anything = st.text(st.characters(), max_size=9)


@given(
    st.builds(AuditEvent, outcome=anything, metadata=anything, id=anything, workspace=anything, description=anything)
)
def test_no_event_raises_anything_but_a_refusal(event: AuditEvent) -> None:
    try:
        raw = events.encode(to_cloudevent(event, BASE_URL, PREFIX))
    except Refused:
        return
    assert admit(raw)[1] is raw


EVENT = AuditEvent(
    id="aud_1", workspace="ws_1", category="lock", action="created", actor_id="u", actor_type="user", occurred_at=0
)


@pytest.mark.parametrize(
    ("change", "error", "sentence"),
    [
        ({"metadata": "[1]"}, InvalidEvent, "metadata: must be the text of a JSON object"),
        ({"metadata": '{"a":1,"a":2}'}, Undecodable, "stands twice"),
        ({"metadata": '{"a":NaN}'}, Undecodable, "NaN is no JSON"),
        ({"metadata": '{"a":' * 31 + "{}" + "}" * 31}, Undecodable, "more than 32 deep"),
        ({"target_type": "lock"}, InvalidEvent, "target_id: is missing"),
        ({"target_name": "x"}, InvalidEvent, "target_type: is missing"),
        ({"target_type": "lock", "target_id": "a\nb"}, InvalidEvent, "subject: holds a control"),
        ({"occurred_at": 2**62}, InvalidEvent, "time: .* outside the years 1 to 9999"),
        ({"metadata": '{"a":"\ud800"}'}, Undecodable, "not UTF-8"),
        ({"description": "\ud800"}, Undecodable, "lone surrogate"),
        ({"workspace": "\ud800"}, InvalidEvent, "workspace: it holds a lone surrogate"),
        ({"workspace": ""}, InvalidEvent, "workspaceid: expected `str` of length >= 1"),
    ],
)
def test_a_wrong_event_is_one_sentence(change: dict[str, Any], error: type[Exception], sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        to_cloudevent(msgspec.structs.replace(EVENT, **change), BASE_URL, PREFIX)
