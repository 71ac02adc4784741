"""Whether manifests are genuine, and continue each other. Pure."""

from collections.abc import Collection, Iterator

from auditcast.console.moments import second_text
from auditcast.schemas.manifests import FIRST, digest_of, text
from auditcast.schemas.records import Manifest
from auditcast.schemas.signing_keys import genuine


class Proofs:
    """Takes manifests in the order of their streams and times."""

    def __init__(self, keys: Collection[str], *, whole: bool) -> None:
        """`keys` are the public ones that count (`whpk_…`); any does if there are none.

        `whole`: all that is kept was asked for. What is missing before is told in `cut`; it has expired.
        """
        self.count = self.streams = 0
        self.keys: set[str] = set()
        """Those that signed."""
        self.cut: list[Manifest] = []
        """Where a stream was asked for as a whole and begins later."""
        self._trusted = keys
        self._whole = whole
        self._last: Manifest | None = None

    def take(self, manifest: Manifest) -> list[str]:
        """What is wrong with the next one, as sentences."""
        self.count += 1
        self.keys.add(manifest.key)
        last, self._last = self._last, manifest
        if last is None or last.stream != manifest.stream:
            self.streams += 1
            if self._whole and manifest.previous != FIRST:
                self.cut.append(manifest)
            last = None
        name = f"the manifest of {manifest.stream} until {second_text(manifest.until)}"
        wrong = [*self._forged(manifest), *(_discontinuous(last, manifest) if last is not None else ())]
        return [f"{name} {each}" for each in wrong]

    def _forged(self, manifest: Manifest) -> Iterator[str]:
        if digest_of(manifest) != manifest.digest:
            yield "does not have the digest that it names"
        if not genuine(manifest.key, text(manifest), manifest.signature):
            yield "is not signed by the key that it names"
        elif self._trusted and manifest.key not in self._trusted:
            yield f"is signed by {manifest.key}, which is none of the platform's keys"


def _discontinuous(last: Manifest, manifest: Manifest) -> Iterator[str]:
    if last.final:
        yield "follows the stream's last one"
    if manifest.previous != last.digest:
        yield f"does not follow the one until {second_text(last.until)}: what lay between is missing"
        return
    begins = (manifest.since, manifest.first_sequence, manifest.first_event, manifest.opening_digest)
    if begins != (last.until, last.last_sequence + 1, last.last_event + 1, last.closing_digest):
        yield f"does not begin where the one until {second_text(last.until)} ended"
