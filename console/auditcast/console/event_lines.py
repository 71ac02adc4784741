"""Events as JSON lines: the arguments of `AuditLog.emit` as an object, or a CloudEvent, one a line."""

import difflib
import inspect
from collections.abc import Iterator
from typing import IO

from auditcast.producers import AuditLog
from auditcast.schemas import strict_json
from auditcast.schemas.errors import InvalidEvent, Refused, Undecodable

MAX_LINE_BYTES = 1024 * 1024
"""Of one line: four times an event, since JSON may be written at length."""

_PARAMETERS = {name: each for name, each in inspect.signature(AuditLog.emit).parameters.items() if name != "self"}
_REQUIRED = [name for name, each in _PARAMETERS.items() if each.default is each.empty]


class LineTooLong(Refused):
    """A line that can be no event."""


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Each line that is not blank, with its number from 1 on; None for one of more than `MAX_LINE_BYTES`."""
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) > MAX_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE_BYTES)
            yield number, None
        elif stripped := line.strip():
            yield number, stripped


def emit_line(log: AuditLog, line: bytes | None) -> str:
    """Emit what a line holds and return its id; raises `Refused`, or what keeps `log` from taking any event."""
    if line is None:
        raise LineTooLong(f"the line has more than {MAX_LINE_BYTES} bytes: no event may have so many")
    members = strict_json.parse(line)
    if not isinstance(members, dict):
        raise Undecodable("an event is a JSON object: write one on each line")
    if "specversion" in members:
        return log.emit_cloudevent(line)
    for name in members:
        if name not in _PARAMETERS:
            near = difflib.get_close_matches(name, _PARAMETERS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(_PARAMETERS)}"
            raise InvalidEvent(name[:40], f"there is no such field: {hint}")
    for name in _REQUIRED:
        if name not in members:
            raise InvalidEvent(name, "is missing")
    return log.emit(**members)
