"""Which batches the platform vouches for: those from which the chain leads to a digest in a manifest. Pure."""

from collections.abc import Iterable, Iterator

from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.stream import Stream
from auditcast.schemas.chain import GENESIS
from auditcast.schemas.records import Manifest


def follows(stream: Stream, sequence: int) -> bool:
    """Whether a batch that is here continues the one before it, as far as that is here."""
    held, before = stream.held[sequence], stream.held.get(sequence - 1)
    if sequence == 1:
        return held.place.previous == GENESIS and held.first == 1
    if before is None:
        return True
    return held.first == before.last + 1 and before.digest in ("", held.place.previous)


def unattested(stream: Stream, manifests: Iterable[Manifest], low: int, top: int, until: int) -> Iterator[Finding]:
    """The batches from `low` to `top`, opened before `until` (ms; 0: at any time), that anybody could have made.

    No signature of theirs was looked at, and none of the `manifests`, which are genuine, has a digest to which the
    chain leads from them: they lie after all manifests, or before a hole.
    """
    named = {}
    for manifest in manifests:
        named[manifest.first_sequence - 1] = manifest.opening_digest
        named[manifest.last_sequence] = manifest.closing_digest
    vouched = False
    found: list[tuple[int, int]] = []
    for sequence in sorted(stream.held, reverse=True):
        held = stream.held[sequence]
        vouched = vouched and sequence + 1 in stream.held and follows(stream, sequence + 1)
        vouched = bool(held.digest) and (vouched or named.get(sequence) == held.digest)
        is_late = until and held.place.opened >= until
        # Without a digest its own finding says that it proves nothing.
        if vouched or held.signed or not held.digest or is_late or not low <= sequence <= top:
            continue
        last = found.pop()[1] if found and found[-1][0] == sequence + 1 else sequence
        found.append((sequence, last))
    for first, last in reversed(found):
        yield Finding(Kind.UNATTESTED, stream.name, first=first, last=last)
