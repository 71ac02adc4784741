"""Keeps libraries that repeat themselves from flooding the log."""

import logging
import time
from collections.abc import Callable


class Calm(logging.Filter):
    """Of each kind of line of some loggers (and theirs below), lets one through every `seconds`."""

    def __init__(self, loggers: tuple[str, ...], seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._loggers = loggers
        self._seconds = seconds
        self._now = now
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to let `record` through."""
        if record.name.split(".", 1)[0] not in self._loggers:
            return True
        kind, now = (record.name, str(record.msg)), self._now()
        if now - self._said.get(kind, float("-inf")) < self._seconds:
            return False
        self._said[kind] = now
        return True
