"""What an alerts worker counts for Prometheus; docs/metrics.md says what to make of it."""

from prometheus_client import CollectorRegistry, Counter

from auditcast.deliverers.alerts.alert import Kind

OUTCOMES = ("sent", "partly", "refused", "closed", "nobody")
"""Handed over for all of its readers that can be told; for some, others get it later; for none, it is tried again; the
mail server takes nothing; there is nobody to tell."""


class Metrics:
    """All of one process, in a registry of its own. Every label is there from the start, so that no first is missed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._emails = Counter(
            "auditcast_alerts_emails",
            "Attempts to hand an alert email over, by what it is about in the first place.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self._paused = Counter(
            "auditcast_alerts_destinations_paused",
            "Destinations paused since they did nothing but fail.",
            registry=self.registry,
        )
        for kind in Kind:
            for outcome in OUTCOMES:
                self._emails.labels(str(kind), outcome)

    def told(self, kind: Kind, *, done: bool, accepted: int) -> None:
        """An email was handed over for `accepted` readers; `done` unless it is to be tried again."""
        outcome = ("sent" if accepted else "nobody") if done else ("partly" if accepted else "refused")
        self._emails.labels(str(kind), outcome).inc()

    def closed(self, kind: Kind) -> None:
        """The mail server took nothing."""
        self._emails.labels(str(kind), "closed").inc()

    def paused(self) -> None:
        """A destination was paused."""
        self._paused.inc()
