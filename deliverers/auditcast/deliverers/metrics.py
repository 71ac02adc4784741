"""What a deliverer counts for Prometheus; docs/metrics.md says what to make of it."""

import re
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from auditcast.deliverers.fate import FATES
from auditcast.deliverers.outcomes import Reason

LATENCIES_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30)
"""A request takes 30 s at most, unless somebody has set it otherwise."""

DELAYS_S = (1, 5, 15, 30, 35, 45, 60, 120, 300, 900, 3600, 6 * 3600, 24 * 3600, 7 * 24 * 3600)
"""A window is open for up to 30 s, so most that is well comes right after that."""

NO_ANSWER = "none"
STATUSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
OTHER = "other"

STANDINGS = ("well", "failing", "halted")
"""The breaker is closed; it is open; paused by somebody, or gone."""

_REASONS = [str(reason) for reason in Reason]
_STATUS = re.compile(r"status-([1-5])\d\d")


class Metrics:
    """All of one process, in a registry of its own. Every label is there from the start, so that no first is missed.

    A receiver may answer whatever it likes, so of a status only the class is a label.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._attempts = self._counter(
            "attempts", "Attempts to deliver a batch, or a part of one, and what followed. Without tests.", "fate"
        )
        self._dead = self._counter("dead_letters", "Dead letters that were made, by the reason in them.", "reason")
        self._given_up = self._counter(
            "batches_given_up", "Batches, or parts, that were kept as long as that is possible."
        )
        self._lost = self._counter("records_expired", "Records lost: they expired before they were read.", "topic")
        self._sent = self._counter("sent_bytes", "Bytes of the bodies, as sent, of requests that were answered.")
        self._requests = self._histogram(
            "request_seconds",
            "How long requests took, to an answer or none; tests included.",
            LATENCIES_S,
            "status",
        )
        self._delay = self._histogram(
            "delay_seconds", "From a batch's first event to its delivery, or that of a part. Without replays.", DELAYS_S
        )
        self._waiting = self._gauge("batches_waiting", "Batches that wait in memory, those in flight included.")
        self._parked = self._gauge("batches_parked", "Batches parked for destinations that are failing, or halted.")
        self._destinations = self._gauge("destinations", "Destinations that had a batch here, by standing.", "standing")
        self._buffered = self._gauge("buffered_bytes", "Bytes of batches in memory.")
        self._partitions = self._gauge("partitions", "Partition numbers that are this worker's.")
        for metric, labels in (
            (self._attempts, FATES),
            (self._dead, [*_REASONS, *(f"status-{status}" for status in STATUSES), OTHER]),
            (self._lost, ("batches", "parked")),
            (self._requests, (*STATUSES, NO_ANSWER)),
            (self._destinations, STANDINGS),
        ):
            for label in labels:
                metric.labels(label)

    def requested(self, latency_s: float, status: int | None, size: int) -> None:
        """A request with a body of `size` bytes was answered with `status`, or not at all."""
        self._requests.labels(NO_ANSWER if status is None else f"{min(max(status // 100, 1), 5)}xx").observe(latency_s)
        if status is not None:
            self._sent.inc(size)

    def attempted(self, fates: Iterable[str]) -> None:
        """This is what followed from attempts."""
        for fate in fates:
            self._attempts.labels(fate).inc()

    def delivered(self, delay_s: float) -> None:
        """A batch was delivered, so long after its window was opened."""
        self._delay.observe(max(delay_s, 0.0))

    def dead_letters(self, count: int, reason: str) -> None:
        """So many dead letters were made; maybe none."""
        if not count:
            return
        status = _STATUS.fullmatch(reason)
        known = f"status-{status[1]}xx" if status else reason if reason in _REASONS else OTHER
        self._dead.labels(known).inc(count)

    def gave_up(self) -> None:
        """A batch, or a part of one, will never be delivered."""
        self._given_up.inc()

    def lost(self, topic: str, records: int) -> None:
        """So many records of a topic expired before they were read: of `batches` and retries, or `parked`."""
        self._lost.labels(topic).inc(records)

    def measured(self, *, partitions: int, waiting: int, parked: int, buffered: int, standings: dict[str, int]) -> None:
        """How things are now."""
        self._partitions.set(partitions)
        self._waiting.set(waiting)
        self._parked.set(parked)
        self._buffered.set(buffered)
        for standing in STANDINGS:
            self._destinations.labels(standing).set(standings.get(standing, 0))

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"auditcast_deliverer_{name}", help_, labels, registry=self.registry)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"auditcast_deliverer_{name}", help_, labels, registry=self.registry)

    def _histogram(self, name: str, help_: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"auditcast_deliverer_{name}", help_, labels, registry=self.registry, buckets=buckets)
