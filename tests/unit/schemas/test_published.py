"""The committed JSON Schemas are those of today's types, and take exactly what the pipeline writes."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # typed only by a stub package

from auditcast.schemas.admission import admit
from auditcast.schemas.published import schemas
from tests.bodies import joined

DOCS = Path(__file__).parents[3] / "docs" / "schemas"
EXAMPLE = {
    "specversion": "1.0",
    "id": "aud_abc123",
    "source": "https://atmos-pro.com/workspaces/ws_xyz",
    "type": "pro.atmos.workspace.created",
    "time": "2025-01-15T10:30:00.000Z",
    "subject": "ws_target1",
    "datacontenttype": "application/json",
    "data": {
        "actor": {"id": "usr_actor1", "type": "user", "email": "a@example.com"},
        "action": {"category": "workspace", "action": "created"},
        "target": {"type": "workspace", "id": "ws_target1"},
        "description": None,
        "metadata": {"any": ["thing"]},
        "client": {"ip": "::1"},
        "later": "a member that a platform adds",
    },
    "workspaceid": "ws_xyz",
    "traceparent": "an extension",
}


def validator(name: str) -> Draft202012Validator:
    schema = json.loads((DOCS / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_committed_files_are_what_the_types_give() -> None:
    """When this fails: python -m auditcast.schemas.published docs/schemas, and see docs/evolution.md."""
    assert {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DOCS.iterdir()} == schemas()


def test_what_the_pipeline_writes_is_valid() -> None:
    raw = admit(json.dumps(EXAMPLE).encode())[1]
    validator("event.schema.json").validate(json.loads(raw))
    body = joined("cloudevents/1", [raw] * 100)
    validator("batch.schema.json").validate(json.loads(body))


def without(*path: str) -> dict[str, Any]:
    event: dict[str, Any] = deepcopy(EXAMPLE) | {"sequence": "0" * 20}
    event["data"]["outcome"] = "success"
    place = event
    for name in path[:-1]:
        place = place[name]
    del place[path[-1]]
    return event


@pytest.mark.parametrize(
    "body",
    [
        [],
        [without("sequence")],
        [without("workspaceid")],
        [without("data", "actor", "id")],
        [without("data", "outcome")],
        [without("subject") | {"time": "2025-01-15T10:30:00+00:0"}],
        [without("subject") | {"specversion": "0.3"}],
        [without("subject")] * 101,
    ],
)
def test_what_the_pipeline_never_writes_is_not_valid(body: list[Any]) -> None:
    validator("batch.schema.json").validate([without("subject")])
    assert not validator("batch.schema.json").is_valid(body)
