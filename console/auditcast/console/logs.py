"""Logging of the long-running commands: one event, one line on standard error.

A line reads `2025-01-15T10:30:00.123Z INFO auditcast.deliverers.lane delivery.attempted destination=dst_1 status=200`.
The message is the event's name; values come with it: `log.info("delivery.attempted", extra={"destination": …})`.
"""

import json
import logging
import os
import re
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from auditcast.console.settings import Level, Logging
from auditcast.kafka.settings import read

# What every LogRecord has; all else came by `extra` and is shown.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"asctime", "message", "taskName"}

_BARE = re.compile(r"[!#-<>-~]+")
"""Printable ASCII without space, quote and equals sign."""


class Lines(logging.Formatter):
    """One line an event, whatever it holds: line breaks and control characters come out escaped."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        words = [time, record.levelname, record.name, _plain(record.getMessage())]
        words += [f"{name}={_value(value)}" for name, value in record.__dict__.items() if name not in _STANDARD]
        if record.exc_info:
            # A crash is for whoever mends it: the traceback stays in the same line, so that it is one event.
            words.append(f"traceback={json.dumps(self.formatException(record.exc_info))}")
        return " ".join(words)


def setup(level: Level | None = None, stream: TextIO | None = None) -> None:
    """Send everything from `level` (AUDITCAST_LOG_LEVEL) on to `stream` (standard error), and nothing elsewhere."""
    # None of this is shown, and finding it out takes a third of a line's time (the manual's "Optimization").
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=level or read(Logging, os.environ).log_level, handlers=[handler], force=True)


def _value(value: Any) -> str:
    """Bare where that is unambiguous, else in JSON's quotes."""
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _plain(message: str) -> str:
    return message if message.isprintable() else json.dumps(message)
