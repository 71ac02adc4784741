"""The report of a verification, as text and as JSON. Pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Struct

from auditcast.console.letter_showing import count
from auditcast.console.showing import printable
from auditcast.console.verifying.findings import Finding, Kind, exit_code, gravity
from auditcast.console.verifying.sentences import sentence
from auditcast.console.verifying.verifier import Seen

VERDICTS = (
    "Complete and genuine, as far as it was looked at.",
    "Something is missing, or not proved to be all.",
    "Something is altered, forged, contradictory or out of place.",
    "It cannot be told: something could not be read or checked.",
)
"""By exit code."""

MOST_ALIKE = 20
"""Findings of one kind that are listed of a stream; --json has all."""

_WIDTH = len(Kind.MANIFEST_CONTRADICTION)
_ORDER = {
    kind: at for at, kind in enumerate((Kind.COMPLETE, *(each for each in reversed(Kind) if each != Kind.COMPLETE)))
}


class Report(Struct, frozen=True):
    """All findings, and what was looked at; `public_keys` counts those that were given."""

    findings: Sequence[Finding]
    seen: Seen
    public_keys: int

    @property
    def exit(self) -> int:
        """The exit code."""
        return exit_code(self.findings)


def shape(report: Report) -> dict[str, Any]:
    """As JSON has it (docs/auditing.md)."""
    return {
        "exit": report.exit,
        "verdict": VERDICTS[report.exit],
        "seen": msgspec.to_builtins(report.seen),
        "not_looked_at": list(_not_looked_at(report)),
        "findings": [msgspec.to_builtins(finding) for finding in report.findings],
    }


def lines(report: Report) -> Iterator[str]:
    """As people read it."""
    by_stream = sorted(report.findings, key=lambda finding: finding.stream)
    for stream, found in groupby(by_stream, key=lambda finding: finding.stream):
        yield printable(stream) if stream else "Besides"
        ordered = sorted(found, key=lambda finding: (_ORDER[finding.kind], finding.first or finding.sequence))
        for kind, alike in groupby(ordered, key=lambda finding: finding.kind):
            several = list(alike)
            mark = "!" if gravity(kind) else " "
            for finding in several[:MOST_ALIKE]:
                yield f"{mark} {kind:<{_WIDTH}}  {sentence(finding)}"
            if len(several) > MOST_ALIKE:
                yield f"{mark} {kind:<{_WIDTH}}  and {len(several) - MOST_ALIKE} more, which --json lists"
        yield ""
    seen = report.seen
    events, manifests = count(seen.events, "event"), count(seen.manifests, "manifest")
    yield f"Looked at: {_deliveries(seen.deliveries)}, {events}, {manifests}."
    yield from _not_looked_at(report)
    yield VERDICTS[report.exit]


def _not_looked_at(report: Report) -> Iterator[str]:
    seen = report.seen
    if seen.unchecked:
        yield (
            f"The signatures of {_deliveries(seen.unchecked)} were not looked at, for want of a secret or a public key;"
            " so whoever holds the copy could have made them."
        )
    if seen.events and not seen.deliveries:
        yield "Events without headers have no signatures: only manifests prove who made them."
    if not seen.manifests:
        yield "There are no manifests, so nothing proves where a stream ends."
    elif not report.public_keys:
        yield "The manifests' signatures were not looked at, as no public key was given; so they prove nothing."
    if seen.ignored:
        yield f"Not read, by their names: {count(seen.ignored, 'file')}."


def _deliveries(number: int) -> str:
    return count(number, "delivery", "deliveries")
