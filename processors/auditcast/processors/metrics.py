"""What a processor counts for Prometheus; docs/metrics.md says what to make of it.

Counted by the chunk, the batch or the second, never by the event: that would cost more than an event's whole way
through the core. What is done again after a rebalance is counted again, but for what was skipped.
"""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from auditcast.processors.effects import Bury, Effect, Move, PutBatch, PutManifest
from auditcast.processors.skips import WHY
from auditcast.schemas.errors import EventTooLarge, InvalidEvent, Undecodable, UnknownAction
from auditcast.schemas.sealing import Forged

REFUSALS = [kind.reason for kind in (EventTooLarge, Forged, InvalidEvent, Undecodable, UnknownAction)]


class Metrics:
    """All of one process, in a registry of its own. Every label is there from the start, so that no first is missed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._records = self._counter("records_read", "Records of the events topic that were processed.")
        self._collected = self._counter(
            "events_collected", "Events put into batches, once for each destination that gets them."
        )
        self._skipped = self._counter(
            "events_skipped",
            "Events not collected, once for each destination that was disabled, or not entitled by its plan.",
            "reason",
        )
        self._refused = self._counter("events_refused", "Records that cannot be taken, each a dead letter.", "reason")
        self._moved = self._counter("events_moved", "Events appended to the partition that they belong in.")
        self._expired = self._counter("events_expired", "Records lost: they expired before a processor read them.")
        self._batches = self._counter("batches", "Batches closed.")
        self._bytes = self._counter("batches_bytes", "Bytes of the bodies of batches that were closed.")
        self._manifests = self._counter("manifests", "Manifests made.")
        self._stale = self._counter("chunks_stale", "Fetched chunks dropped, since they were not what comes next.")
        self._commits = self._counter("commits", "Commits, and whether the group took them.", "outcome")
        self._partitions = self._gauge("partitions", "Partitions that are this worker's, and are loaded.")
        self._windows = self._gauge("windows_open", "Windows that are open.")
        self._in_flight = self._gauge("unacknowledged_bytes", "Bytes written and not acknowledged yet.")
        self._unread = Gauge(
            "auditcast_processor_records_unread",
            "Offsets between what was processed and the end of the partition as of the newest fetch.",
            ["partition"],
            registry=self.registry,
        )
        self._shown: set[int] = set()
        for reason in WHY:
            self._skipped.labels(reason)
        for reason in REFUSALS:
            self._refused.labels(reason)
        for outcome in ("done", "refused"):
            self._commits.labels(outcome)

    def stepped(self, records: int) -> None:
        """A chunk of so many records was processed."""
        self._records.inc(records)

    def asked(self, effects: Iterable[Effect]) -> None:
        """The core asked for `effects`."""
        for effect in effects:
            match effect:
                case PutBatch(batch=batch):
                    self._batches.inc()
                    self._collected.inc(batch.last_event - batch.first_event + 1)
                    self._bytes.inc(len(batch.body))
                case PutManifest():
                    self._manifests.inc()
                case Move():
                    self._moved.inc()
                case Bury(letter=letter):
                    self._refused.labels(letter.reason).inc()

    def skipped(self, events: Mapping[str, int]) -> None:
        """So many events were not collected, by why."""
        for reason, number in events.items():
            self._skipped.labels(reason).inc(number)

    def lost(self, records: int) -> None:
        """So many records expired before they were read."""
        self._expired.inc(records)

    def stale(self) -> None:
        """A chunk was dropped."""
        self._stale.inc()

    def committed(self, *, taken: bool) -> None:
        """The group took a commit, or refused it."""
        self._commits.labels("done" if taken else "refused").inc()

    def measured(self, *, windows: int, in_flight: int, unread: Mapping[int, int | None]) -> None:
        """How things are now; `unread` has all partitions that are owned, None for one not fetched from yet."""
        self._partitions.set(len(unread))
        self._windows.set(windows)
        self._in_flight.set(in_flight)
        shown = {partition: number for partition, number in unread.items() if number is not None}
        for partition in self._shown - shown.keys():
            self._unread.remove(str(partition))
        for partition, number in shown.items():
            self._unread.labels(str(partition)).set(number)
        self._shown = set(shown)

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"auditcast_processor_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str) -> Gauge:
        return Gauge(f"auditcast_processor_{name}", help_, registry=self.registry)
