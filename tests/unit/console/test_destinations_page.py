"""docs/destinations.md holds: its Python verifies what a deliverer signs, its JSON has the members that are printed."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from auditcast.console.showing import destination_shape, result_shape, status_shape
from auditcast.console.statuses import LeftOut
from auditcast.deliverers.signing import body_signature, key_of, message_signature
from auditcast.schemas.records import Attempt, Revision, Status, TestResult

PAGE = (Path(__file__).parents[3] / "docs" / "destinations.md").read_text()
SECRET = "whsec_yHO1gppk16zaNviOFGRSQqVSXacvgI+VoR8j16mb08c="
BODY = b'[{"specversion":"1.0"}]'


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def signed(now: int) -> dict[str, str]:
    key = key_of(SECRET)
    return {
        "webhook-id": "dst_1-0-00-1",
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,b3RoZXI= {message_signature(key, 'dst_1-0-00-1', now, BODY)}",
        "x-webhook-signature": body_signature(key, BODY),
    }


@pytest.fixture
def snippet() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec("\n".join(blocks("python")), names)  # noqa: S102  (our own page)
    return names


def test_the_snippet_takes_what_a_deliverer_signs_and_nothing_else(snippet: dict[str, Any]) -> None:
    now = int(time.time())
    for verify in (snippet["verify"], snippet["verify_body"]):
        verify(SECRET, signed(now), BODY)
        with pytest.raises(ValueError, match="wrong signature"):
            verify(SECRET, signed(now), BODY + b" ")
        with pytest.raises(ValueError, match="wrong signature"):
            verify("whsec_AAAA", signed(now), BODY)
    for wrong in (now - 301, now + 400):
        with pytest.raises(ValueError, match="five minutes"):
            snippet["verify"](SECRET, signed(wrong), BODY)


def test_the_shapes_are_what_is_printed() -> None:
    destination, result = map(json.loads, blocks("json"))
    revision = Revision(destination="a", number=1, nonce="", state="active", changed_at=0, epoch="00")
    attempt = Attempt(at=0, latency_ms=0)
    printed = result_shape(TestResult(batch="a", destination="a", delivered=False, attempt=attempt))
    status = Status(destination="a", at=1, last=attempt)
    shown = destination_shape(revision) | {"status": status_shape(revision, status, LeftOut())}
    assert list(destination) == list(shown)
    for member in ("last_attempt", "backlog", "not_collected"):
        assert list(destination["status"].pop(member)) == list(shown["status"][member])
    assert list(destination["status"]) == [name for name in shown["status"] if name in destination["status"]]
    assert len(shown["status"]) == len(destination["status"]) + 3
    assert list(result) == list(printed)
