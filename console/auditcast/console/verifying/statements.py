"""The manifests of a stream that an auditor has: which are genuine, how they follow each other, what they say. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct, field

from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.items import Told
from auditcast.schemas.chain import destination_of
from auditcast.schemas.manifests import digest_of, text
from auditcast.schemas.records import Manifest

Signed = Callable[[bytes, str, str], bool]
"""Whether a signature (second) of some content is by a key (third) that the auditor trusts."""

_DEEPEST = 12
_FLAT = "metadata."
_MARK = '"closing_digest"'
_json = msgspec.json.Decoder().decode
_TELLING = {"stream", "closing_digest", "signature", "until", "previous"}


class Statements(Struct):
    """`chain` are those that count, oldest first; without `trusted` nobody has vouched for them.

    Only their own digests were looked at then: they can show that something is missing, and prove nothing.
    """

    chain: list[Manifest] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    trusted: bool = False

    @property
    def newest(self) -> Manifest | None:
        """The one that ends last."""
        return self.chain[-1] if self.chain else None


def manifest_in(value: Any, depth: int = 0) -> Manifest | None:
    """The first manifest anywhere in a JSON value, whatever the format around it; None if there is none.

    Some formats have the event as a text (`elastic`, `loki`), or its members as names with dots (`newrelic`).
    """
    value = _unpacked(value)
    if isinstance(value, dict) and value.keys() >= _TELLING:
        try:
            return msgspec.convert(value, Manifest, strict=False)
        except (msgspec.ValidationError, OverflowError):
            return None
    if depth >= _DEEPEST or not isinstance(value, dict | list):
        return None
    children = value.values() if isinstance(value, dict) else value
    return next(filter(None, (manifest_in(child, depth + 1) for child in children)), None)


def _unpacked(value: Any) -> Any:
    try:
        if isinstance(value, str):
            return _json(value) if _MARK in value else None
        if isinstance(value, dict) and f"{_FLAT}closing_digest" in value:
            flat = {name.removeprefix(_FLAT): each for name, each in value.items() if name.startswith(_FLAT)}
            return flat | {"notes": _json(flat["notes"])}
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return value


def stated(stream: str, given: Sequence[Told], signed: Signed | None) -> Statements:
    """What the manifests of one stream amount to; `signed` is None if the auditor has no public key."""
    found = Statements(trusted=signed is not None)
    genuine: dict[str, Told] = {}
    forged: set[int] = set()
    for each in given:
        if _genuine(each.manifest, signed):
            genuine.setdefault(each.manifest.digest, each)
        else:
            until = _until(each.manifest)
            if until not in forged:
                found.findings.append(Finding(Kind.MANIFEST_FORGED, stream, until=until, where=each.where))
            forged.add(until)
    by_end = sorted(genuine.values(), key=lambda each: (each.manifest.until, each.manifest.since))
    found.chain = list(_followed(stream, by_end, found.findings))
    return found


def _genuine(manifest: Manifest, signed: Signed | None) -> bool:
    # The lines that are signed hold the stream, and with it the destination.
    whole = manifest.digest == _digest(manifest) and manifest.destination == destination_of(manifest.stream)
    return whole and (signed is None or signed(text(manifest), manifest.signature, manifest.key))


def _digest(manifest: Manifest) -> str:
    try:
        return digest_of(manifest)
    except UnicodeEncodeError:  # a lone surrogate in a note
        return ""


def _until(manifest: Manifest) -> int:
    return max(0, manifest.until)


def _followed(stream: str, by_end: Sequence[Told], findings: list[Finding]) -> Iterator[Manifest]:
    """Those that follow each other; what lies between them and is not here, or contradicts them, is told."""
    before: Manifest | None = None
    for each in by_end:
        manifest = each.manifest
        if before is None or manifest.previous == before.digest:
            if before is not None and not _continues(before, manifest):
                findings.append(_contradiction(stream, each))
                continue
        elif manifest.since >= before.until and manifest.previous != before.previous:
            findings.append(
                Finding(Kind.MANIFEST_MISSING, stream, since=before.until, until=manifest.since, where=each.where)
            )
        else:
            findings.append(_contradiction(stream, each))
            continue
        before = manifest
        yield manifest


def _contradiction(stream: str, given: Told) -> Finding:
    return Finding(Kind.MANIFEST_CONTRADICTION, stream, until=given.manifest.until, where=given.where)


def _continues(before: Manifest, after: Manifest) -> bool:
    return (
        (after.since, after.first_sequence, after.first_event, after.opening_digest)
        == (before.until, before.last_sequence + 1, before.last_event + 1, before.closing_digest)
        and not before.final
    )  # fmt: skip
