"""Log lines: one event, one line, whatever its values hold."""

import io
import logging
from collections.abc import Iterator

import pytest

from auditcast.console import logs


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # pytest's own, which `force` would close
    logs.setup("INFO", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_holds_time_level_logger_event_and_values(lines: io.StringIO) -> None:
    logging.getLogger("auditcast.x").info("delivery.attempted", extra={"status": 200, "answer": "a b", "reason": None})
    time, rest = lines.getvalue().split(" ", 1)
    assert len(time) == len("2025-01-15T10:30:00.123Z")
    assert rest == 'INFO auditcast.x delivery.attempted status=200 answer="a b" reason=None\n'


def test_below_the_level_nothing_is_logged(lines: io.StringIO) -> None:
    logging.getLogger("auditcast.x").debug("a")
    assert lines.getvalue() == ""


@pytest.mark.parametrize("hostile", ["a\nb", "\x1b[2J", "a\r\n\u2028b", 'x" status=200', ""])
def test_a_hostile_value_forges_no_line_and_no_value(lines: io.StringIO, hostile: str) -> None:
    logging.getLogger("auditcast.x").warning("event %s", hostile, extra={"answer": hostile, "z": 1})
    try:
        int(hostile)
    except ValueError:
        logging.getLogger("auditcast.x").exception("crashed")
    text = lines.getvalue()
    assert [line.split()[1] for line in text.splitlines()] == ["WARNING", "ERROR"]
    assert text.replace("\n", "").isprintable()
    assert "Traceback" in text
