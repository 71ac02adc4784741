"""A person's own events for the demo: a file of JSON lines, each the arguments of `AuditLog.emit`."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from auditcast.console.demo.simulator import Workspace
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.errors import AuditcastError, Misconfigured

MOST_PLACES = 6
"""So many workspaces of the file, the busiest, get destinations."""


def places(path: Path) -> list[Workspace]:
    """The busiest workspaces of the file, each line of which is checked; raises `Misconfigured`, naming the line."""
    found: Counter[Workspace] = Counter()
    checker = MemoryAuditLog()
    for number, fields in enumerate(_lines(path), 1):
        try:
            checker.emit(**fields)
        except (AuditcastError, TypeError) as refused:
            raise Misconfigured(f"{path}, event {number}: {refused}") from None
        checker.clear()
        found[Workspace(fields["workspace"], fields.get("organization"))] += 1
    if not found:
        raise Misconfigured(f"{path} holds no events: write one JSON object a line, as for 'auditcast emit'")
    return [place for place, _ in found.most_common(MOST_PLACES)]


def events(path: Path) -> Iterator[dict[str, Any]]:
    """The events of a file that `places` has checked."""
    return _lines(path)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield msgspec.json.decode(line, type=dict[str, Any])
                    except msgspec.MsgspecError as error:
                        raise Misconfigured(f"{path}, line {number}: {error}") from None
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
