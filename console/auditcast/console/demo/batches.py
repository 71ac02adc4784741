"""An independent reading of `audit.batches`: every batch checked against its chain, repeats against each other.

No clock, no I/O.
"""

from collections import Counter

from auditcast.console.demo.chains import Chain, Fault, Rejected, mark, read
from auditcast.schemas.records import Batch
from auditcast.schemas.wire import decode_as


class Batches:
    """Grows with the topic. `chains` has each stream's events, `covered` the last offset that is in a batch."""

    def __init__(self) -> None:
        self.chains: dict[str, Chain] = {}
        self.covered: dict[str, int] = {}
        self.count = 0
        self.repeated = 0
        self.faults: Counter[Fault] = Counter()
        self._seen: dict[str, int] = {}
        self._newest: dict[int, int] = {}

    @property
    def missing(self) -> int:
        """Batches absent although a later one of their stream is there."""
        return sum(chain.missing for chain in self.chains.values())

    def take(self, value: bytes) -> None:
        """The next record of the topic."""
        batch = decode_as(Batch, value)
        if batch.is_test or batch.is_manifest:
            return
        known, whole = self._seen.get(batch.id), mark(value)
        if known is not None:
            if known == whole:
                self.repeated += 1
            else:
                self.faults[Fault.DIFFERS] += 1
            return
        try:
            stream, entry = read(claimed(batch), batch.body)
        except Rejected as rejected:
            self.faults[rejected.fault] += 1
            return
        chain = self.chains.setdefault(stream, Chain())
        if chain.holds(entry.sequence):
            self.faults[Fault.DIFFERS] += 1
            return
        self._seen[batch.id] = whole
        self.count += 1
        self.faults.update(chain.add(entry))
        self.covered[stream] = max(self.covered.get(stream, -1), batch.last_offset)
        self._newest[batch.partition] = max(self._newest.get(batch.partition, -1), batch.last_offset)

    def newest(self, partition: int) -> int:
        """The last offset of a partition of the events topic that is in any batch; -1 if there is none."""
        return self._newest.get(partition, -1)


def claimed(batch: Batch) -> dict[str, str]:
    """The chain's headers as a delivery of `batch` carries them."""
    return {
        "x-audit-stream": batch.stream,
        "x-audit-sequence": str(batch.sequence),
        "x-audit-events": f"{batch.first_event}-{batch.last_event}",
        "x-audit-opened": str(batch.opened),
        "x-audit-format": batch.format,
        "x-audit-gap": batch.gap,
        "x-audit-previous-digest": batch.previous_digest,
        "x-audit-digest": batch.digest,
    }
