"""Until when the end of each stream is proved, which only manifests can do. Pure."""

from collections.abc import Iterator, Mapping

from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.judging import Asked
from auditcast.console.verifying.statements import Statements
from auditcast.schemas.chain import destination_of
from auditcast.schemas.manifests import HOUR_MS

PATIENCE_MS = 2 * HOUR_MS
"""How much earlier the manifests of one stream may end than those of another of the same destination.

They are signed within the same hour, but not at the same moment.
"""


def ends(streams: Mapping[str, Statements], asked: Asked) -> Iterator[Finding]:
    """What is proved of the end of each stream; nothing if there is no manifest at all, and none was asked for."""
    if not asked.until and not any(said.chain or said.findings for said in streams.values()):
        return
    newest: dict[str, int] = {}
    for stream, said in streams.items():
        if said.newest and said.trusted:
            owner = destination_of(stream)
            newest[owner] = max(newest.get(owner, 0), said.newest.until)
    for stream, said in streams.items():
        needed = max(asked.until, newest.get(destination_of(stream), 0) - PATIENCE_MS)
        yield _end(stream, said, needed)


def _end(stream: str, said: Statements, needed: int) -> Finding:
    manifest = said.newest
    if manifest is None:
        return Finding(Kind.UNPROVED, stream)
    if not said.trusted:
        kind = Kind.UNPROVED
    elif manifest.final:
        kind = Kind.ENDED
    else:
        kind = Kind.PROVED if manifest.until >= needed else Kind.UNPROVED
    return Finding(kind, stream, last=manifest.last_sequence, until=manifest.until)
