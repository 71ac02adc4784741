"""Where the demo's events come from: the simulator, or a person's own file, as `auditcast emit` reads it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from auditcast.console.demo.simulator import Platform, Workspace
from auditcast.console.event_lines import emit_line, lines
from auditcast.producers import AuditLog
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import Misconfigured, Refused

Emit = Callable[[AuditLog], str]
"""Emits one event; gives its id."""

MOST_PLACES = 6
"""So many workspaces of a file, the busiest, get destinations."""


def simulated(seed: int, places: Sequence[Workspace]) -> Iterator[Emit]:
    """What happens on a platform with these workspaces; without end."""
    for fields in Platform(seed, places, Catalogue.builtin()).events():
        yield partial(AuditLog.emit, **fields)


def places_in(path: Path) -> list[Workspace]:
    """The busiest workspaces of the file, each line of which is checked; raises `Misconfigured`, naming the line."""
    found: Counter[Workspace] = Counter()
    checker = MemoryAuditLog()
    for number, emit in _numbered(path):
        try:
            emit(checker)
        except Refused as refused:
            raise Misconfigured(f"{path}, line {number}: {refused}") from None
        [event] = checker.events
        checker.clear()
        found[Workspace(event.workspace, event.organization)] += 1
    if not found:
        raise Misconfigured(f"{path} holds no events: write one JSON object a line, as for 'auditcast emit'")
    return [place for place, _ in found.most_common(MOST_PLACES)]


def from_file(path: Path) -> Iterator[Emit]:
    """The events of a file that `places_in` has checked."""
    return (emit for _, emit in _numbered(path))


def _numbered(path: Path) -> Iterator[tuple[int, Emit]]:
    try:
        with path.open("rb") as file:
            for number, line in lines(file):
                yield number, partial(emit_line, line=line)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror}") from None
