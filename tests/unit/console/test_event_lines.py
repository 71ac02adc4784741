"""`auditcast emit` without a broker: what is read, what is said of bad lines and bad surroundings."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from auditcast.console.commands.emit import command
from auditcast.console.event_lines import MAX_LINE_BYTES, emit_line, lines
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.errors import AuditcastError, Misconfigured, Refused

PLAIN: dict[str, Any] = {
    "workspace": "ws_1",
    "category": "workspace",
    "action": "created",
    "actor": {"id": "usr_1", "type": "user"},
}


def test_lines_are_numbered_and_blank_ones_passed_over() -> None:
    stream = io.BytesIO(b'{"a":1}\n\r\n  \n[2]\r\n' + b"x" * (3 * MAX_LINE_BYTES) + b"\nlast")
    assert list(lines(stream)) == [(1, b'{"a":1}'), (4, b"[2]"), (5, None), (6, b"last")]


def test_a_last_line_may_be_too_long() -> None:
    assert list(lines(io.BytesIO(b"x" * (MAX_LINE_BYTES + 1)))) == [(1, None)]
    assert list(lines(io.BytesIO(b"x" * MAX_LINE_BYTES))) == [(1, b"x" * MAX_LINE_BYTES)]


def test_a_line_is_the_arguments_of_emit_or_a_cloudevent(audit_log: MemoryAuditLog) -> None:
    emit_line(audit_log, json.dumps({**PLAIN, "id": "one", "occurred_at": "2025-01-15T10:30:00+02:00"}).encode())
    emit_line(audit_log, audit_log.values[0].replace(b'"id":"one"', b'"id": "two"'))
    assert [(event.id, event.occurred_at) for event in audit_log.events] == [
        ("one", 1_736_929_800_000),
        ("two", 1_736_929_800_000),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"\xff", "not UTF-8"),
        (b"{", "no JSON"),
        (b'{"id": 1, "id": 2}', "stands twice"),
        (b"[1]", "a JSON object"),
        (None, "more than 1048576 bytes"),
        (json.dumps({**PLAIN, "workspcae": 1}).encode(), "did you mean workspace?"),
        (json.dumps({"workspace": "ws_1"}).encode(), "category: is missing"),
        (json.dumps({**PLAIN, "actor": None}).encode(), "actor: must be a dict"),
        (json.dumps({**PLAIN, "self": 1}).encode(), "there is no such field"),
        (json.dumps({"specversion": "1.0"}).encode(), "is missing"),
    ],
)
def test_a_bad_line_is_refused_with_one_sentence(line: bytes | None, said: str, audit_log: MemoryAuditLog) -> None:
    with pytest.raises(Refused) as refused:
        emit_line(audit_log, line)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def run(*arguments: str, **environ: str) -> AuditcastError:
    """What the command fails with."""
    ended = CliRunner(env=environ).invoke(command, arguments)
    assert isinstance(ended.exception, AuditcastError)
    return ended.exception


def test_a_missing_file_no_broker_and_no_setting_are_one_sentence_each(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    nobody = {"AUDITCAST_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    assert "cannot be read: No such file" in str(run(str(file), **nobody))
    file.write_text(json.dumps(PLAIN))
    assert "no broker answers at 127.0.0.1:1" in str(run(str(file), "--timeout", "0.5", **nobody))
    assert isinstance(run(str(file)), Misconfigured)
