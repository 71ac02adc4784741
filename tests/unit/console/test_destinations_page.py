"""docs/destinations.md holds: it has every option, and its sentences and JSON are those that are printed."""

import json
import re
from pathlib import Path

import click
import pytest

from auditcast.console import telling
from auditcast.console.commands.destinations import command
from auditcast.console.diagnosis import advice
from auditcast.console.showing import destination_shape, result_shape, status_shape
from auditcast.console.statuses import LeftOut
from auditcast.console.unentitled import unentitled_shape
from auditcast.schemas.records import Attempt, Revision, SealedHeader, Status, TestResult
from auditcast.schemas.redactions import DROPPABLE, HASHABLE

PAGE = (Path(__file__).parents[3] / "docs" / "destinations.md").read_text()
REVISION = Revision(
    destination="dst_y4yoccfm2zretfai", number=1, nonce="", state="active", changed_at=0, epoch="00",
    headers=[SealedHeader("Authorization", b"")],
)  # fmt: skip


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("name", ["add", "edit", "rotate-secret", "formats", "test"])
def test_every_option_is_on_the_page(name: str) -> None:
    found = command.get_command(click.Context(command), name)
    assert found is not None
    missing = [each.opts[0] for each in found.params if isinstance(each, click.Option) and each.opts[0] not in PAGE]
    assert missing == []


def test_every_field_that_may_be_redacted_is_on_the_page() -> None:
    for option, fields in (("--drop", DROPPABLE), ("--hash", HASHABLE)):
        [row] = re.findall(rf"^\| `{option} FIELD` \|.*$", PAGE, re.MULTILINE)
        assert {*fields, "metadata.KEY", f"{option} FIELD"} == {*re.findall(r"`([^`]+)`", row)} - {"hmac-"}


def test_what_is_said_is_what_the_page_shows() -> None:
    assert advice(Attempt(at=0, latency_ms=42, status=401), REVISION) in PAGE
    [secret] = re.findall(r"has a new secret\.\n\n  Secret: (whsec_\S+)", PAGE)
    rotating = Revision(
        destination=REVISION.destination, number=2, nonce="", state="active", changed_at=0, epoch="00",
        next_secret=b"x", rotation_ends=1_737_023_400_000,
    )  # fmt: skip
    assert telling.rotating(rotating, secret) in PAGE


def test_the_shapes_are_what_is_printed() -> None:
    destination, result = map(json.loads, blocks("json"))
    attempt = Attempt(at=0, latency_ms=0, status=503)
    printed = result_shape(TestResult(batch="a", destination="a", delivered=False, attempt=attempt), REVISION)
    status = Status(destination="a", at=1, last=attempt, failures=1)
    shown = destination_shape(REVISION) | {"not_entitled": unentitled_shape(None)}
    shown |= {"status": status_shape(REVISION, status, LeftOut())}
    assert list(destination) == list(shown)
    assert destination["status"]["advice"] == shown["status"]["advice"] == result["advice"]
    for member in ("last_attempt", "backlog", "not_collected"):
        assert list(destination["status"].pop(member)) == list(shown["status"][member])
    assert list(destination["status"]) == [name for name in shown["status"] if name in destination["status"]]
    assert len(shown["status"]) == len(destination["status"]) + 3
    assert list(result) == list(printed)
