"""Fields that a destination must not get as they are."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditcast.schemas.admission import admit
from auditcast.schemas.events import decode, encode
from auditcast.schemas.records import Revision
from auditcast.schemas.redactions import DROPPABLE, HASHABLE, redaction

EVENTS = [
    entry["admitted"].encode()
    for entry in json.loads((Path(__file__).parents[2] / "fixtures" / "events.json").read_text("utf-8"))
]
BARE = Revision(destination="dst_1", number=1, nonce="", state="active", changed_at=0, epoch="e")
EVENT = (
    b'{"specversion":"1.0","id":"aud_1","source":"s","type":"t","time":"2025-01-15T10:30:00.000Z","subject":"usr_2",'
    b'"datacontenttype":"application/json","data":{"actor":{"id":"usr_1","type":"user","email":"ada@example.com"},'
    b'"action":{"category":"lock","action":"created"},"target":{"type":"user","id":"usr_2","name":"ada@example.com"},'
    b'"description":"d","metadata":{"a.b":[1,{"c":2}],"token":"t"},"outcome":"success",'
    b'"client":{"ip":"192.0.2.1"}},"workspaceid":"ws_1"}'
)


def redacted(dropped: tuple[str, ...] = (), hashed: tuple[str, ...] = (), salt: bytes = b"salt") -> dict[str, object]:
    redact = redaction(replace(BARE, dropped=list(dropped), hashed=list(hashed)), salt)
    assert redact is not None
    event, raw = redact(EVENT)
    assert encode(event) == raw
    found: dict[str, object] = json.loads(raw)
    return found


def test_who_asks_for_no_redaction_gets_the_event_at_no_cost() -> None:
    assert redaction(BARE, b"salt") is None


def test_what_is_dropped_is_gone_and_the_event_is_still_one() -> None:
    found = redacted(dropped=("target", "client.ip", "metadata.a.b", "actor.email", "description"))
    assert "subject" not in found
    assert found["data"] == {
        "actor": {"id": "usr_1", "type": "user"},
        "action": {"category": "lock", "action": "created"},
        "target": None,
        "description": None,
        "metadata": {"token": "t"},
        "outcome": "success",
    }


def test_equal_values_stay_equal_within_a_destination_and_nowhere_else() -> None:
    data = redacted(hashed=("actor.email", "target.name", "target.id", "metadata.a.b"))
    ours = data["data"]
    assert isinstance(ours, dict)
    assert ours["actor"]["email"] == ours["target"]["name"]
    assert ours["actor"]["email"].startswith("hmac-")
    assert data["subject"] == ours["target"]["id"] != "usr_2"
    assert isinstance(ours["metadata"]["a.b"], str)
    other = redacted(hashed=("actor.email",), salt=b"another")["data"]
    assert isinstance(other, dict)
    assert other["actor"]["email"] != ours["actor"]["email"]


@pytest.mark.parametrize("field", ["actor.name", "metadata.absent", "client.user_agent"])
def test_what_is_not_there_needs_no_redaction(field: str) -> None:
    assert redacted(dropped=(field,)) == redacted(hashed=(field,)) == json.loads(EVENT)


@given(
    event=st.sampled_from([*EVENTS, EVENT]),
    dropped=st.lists(st.sampled_from(DROPPABLE), unique=True),
    hashed=st.lists(st.sampled_from(HASHABLE), unique=True),
)
def test_a_redacted_event_is_one_that_the_pipeline_admits_as_it_is(
    event: bytes, dropped: list[str], hashed: list[str]
) -> None:
    redact = redaction(replace(BARE, dropped=dropped, hashed=hashed), b"salt")
    if redact is not None:
        again, raw = redact(event)
        assert admit(raw) == (again, raw)
        assert decode(raw) == again


def test_a_subject_is_hashed_as_the_target_that_it_stands_for_even_if_that_is_left_out() -> None:
    redact = redaction(replace(BARE, hashed=["target.id"]), b"salt")
    assert redact is not None
    target = json.loads(EVENT)["data"]["target"]
    bare, raw = admit(EVENT.replace(json.dumps(target, separators=(",", ":")).encode(), b"null"))
    assert (bare.subject, bare.data.target) == ("usr_2", None)
    event, raw = redact(raw)
    assert event.subject == redact(EVENT)[0].subject
    assert b"usr_2" not in raw
