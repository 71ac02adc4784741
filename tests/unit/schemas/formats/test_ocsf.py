"""Events of OCSF, checked with its published schema (as the package ocsf-json-schema has it) and with the catalogue."""

import json
from functools import cache
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from auditcast.schemas.admission import admit
from auditcast.schemas.catalogue import Catalogue
from tests.bodies import joined
from tests.unit.schemas.formats.drawn import events
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

_schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))


@cache
def validator(class_uid: int) -> jsonschema.Draft202012Validator:
    """For one class, and none of the profiles, which ask for members of their own."""
    return jsonschema.Draft202012Validator(_schema.get_class_schema(CLASSES[class_uid]))


CLASSES = {
    3002: "authentication",
    3004: "entity_management",
    3005: "user_access",
    3006: "group_management",
    6003: "api_activity",
}


def read(*raw: bytes, **options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(joined("ocsf/1", raw, GOLDEN_PLACE, options))
    for event in found:
        validator(event["class_uid"]).validate(event)
    return found


def event(category: str, action: str, target: str | None = "user", **metadata: Any) -> bytes:
    members = json.loads(EVENTS[0])
    members["data"] |= {"action": {"category": category, "action": action}, "metadata": metadata}
    members["data"]["target"] = target and {"type": target, "id": "id_2"}
    return admit(json.dumps(members).encode())[1]


@given(drawn=events)
def test_whatever_an_emitter_writes_is_valid(drawn: bytes) -> None:
    read(drawn)


def test_the_validator_tells_what_is_not() -> None:
    [found] = read(EVENTS[0])
    for wrong in ({"type_uid": "300401"}, {"severity_id": 9}, {"colour": "blue"}, {"metadata": {"version": "1.8.0"}}):
        assert not validator(3004).is_valid({**found, **wrong})


@pytest.mark.parametrize(
    ("raw", "type_uid", "members"),
    [
        (event("workspace", "renamed", "policy"), 300403, {"entity": {"type": "policy", "uid": "id_2", "type_id": 5}}),
        (event("workspace", "deleted", None), 600304, {}),
        (event("team_member", "invited"), 300603, {"group": {"uid": "ws_1", "type": "workspace"}}),
        (event("team_member", "removed"), 300604, {"user": {"uid": "id_2", "type_id": 1, "type": "user"}}),
        (event("team_member", "role_changed", to="admin"), 300501, {"privileges": ["admin"]}),
        (event("team_member", "role_changed"), 300403, {}),
        (event("permission", "removed", permissions=["a", 1, "b"]), 300502, {"privileges": ["a", "b"]}),
        (event("permission", "assigned", "permission", role="admin"), 300401, {}),
        (event("auth", "oidc_token_exchange_success", None), 300201, {"auth_protocol": "OpenID"}),
        (event("auth", "logout", None), 300202, {}),
        (event("auth", "mfa_enrolled", None), 300299, {"activity_name": "mfa_enrolled"}),
        (event("workflow", "dispatched", "workflow"), 600399, {"activity_name": "dispatched"}),
        (event("lock", "created", "stack"), 600301, {"resources": [{"type": "stack", "uid": "id_2"}]}),
    ],
)  # fmt: skip
def test_an_event_finds_its_class_and_activity(raw: bytes, type_uid: int, members: dict[str, Any]) -> None:
    [found] = read(raw)
    assert found["type_uid"] == type_uid
    assert {name: found[name] for name in members} == members
    assert json.loads(found["raw_data"]) == json.loads(raw)


def test_every_action_of_the_catalogue_is_valid_with_and_without_a_target() -> None:
    for category, action, _ in Catalogue.builtin():
        read(event(category, action), event(category, action, "thing"), event(category, action, None))


def test_an_event_says_who_where_and_its_place() -> None:
    [found] = read(EVENTS[0], product="Atmos Pro", vendor="Cloud Posse")
    assert found["actor"]["user"] == {
        "uid": "usr_1",
        "name": "Ä",
        "email_addr": "a@example.com",
        "type_id": 1,
        "type": "user",
    }
    assert (found["src_endpoint"], found["status_id"]) == ({"ip": "::1"}, 2)
    assert found["metadata"] | {"labels": []} == {
        "version": "1.8.0",
        "product": {"name": "Atmos Pro", "vendor_name": "Cloud Posse"},
        "uid": "aud_1",
        "event_code": "workspace.created",
        "labels": [],
        "original_time": "2025-01-15T10:30:00.000Z",
        "tenant_uid": "org_1",
        "sequence": 99,
    }
    assert found["unmapped"]["metadata"] == {"n": 1, "f": 1.5, "t": [True, None]}
    assert found["unmapped"]["audit"] == {
        "event": 99,
        "stream": "dst_1-3-00ff00ff00ff00ff",
        "batch": 7,
        "opened": 1736937000456,
        "gap": "1736936000000-1736937000000",
        "previous": "5a" * 32,
    }
