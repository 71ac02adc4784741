"""The names of the pipeline's topics and consumer groups."""

from msgspec import Struct

RETRIES = 5
"""How often a delivery is tried again."""


class Topics(Struct, frozen=True):
    """The pipeline's topics under one prefix, `audit` unless set otherwise."""

    prefix: str = "audit"

    @property
    def events(self) -> str:
        """Audit events, control records and ticks; key: workspace id."""
        return f"{self.prefix}.events"

    @property
    def destinations(self) -> str:
        """The newest revision of each destination; key: destination id; compacted."""
        return f"{self.prefix}.destinations"

    @property
    def links(self) -> str:
        """The processor's state, in the partition that it speaks of; compacted."""
        return f"{self.prefix}.links"

    @property
    def batches(self) -> str:
        """Final batches; key: destination id."""
        return f"{self.prefix}.batches"

    @property
    def retries(self) -> tuple[str, ...]:
        """Batches that wait for their next attempt, one topic for each delay, the shortest first."""
        return tuple(f"{self.batches}.retry-{number}" for number in range(1, RETRIES + 1))

    @property
    def parked(self) -> str:
        """Batches that wait for a paused or failing destination, in order."""
        return f"{self.batches}.parked"

    @property
    def attempts(self) -> str:
        """Every attempt to deliver, and what followed; key: destination id."""
        return f"{self.prefix}.attempts"

    @property
    def workspaces(self) -> str:
        """What is known of each workspace; key: its id; compacted."""
        return f"{self.prefix}.workspaces"

    @property
    def manifests(self) -> str:
        """What each stream held, hour by hour, signed; key: `stream:until`, in the partition of its events."""
        return f"{self.prefix}.manifests"

    @property
    def alerts(self) -> str:
        """Which alert emails were sent; key: destination id; compacted."""
        return f"{self.prefix}.alerts"

    @property
    def dead_letters(self) -> str:
        """What could not be processed or delivered; key: batch id, or `topic/partition@offset` of an event."""
        return f"{self.prefix}.dead-letters"

    @property
    def status(self) -> str:
        """How destinations fare, and what of theirs is parked; compacted."""
        return f"{self.prefix}.status"

    @property
    def processor_group(self) -> str:
        """The consumer group of the processors."""
        return f"{self.prefix}.processor"

    @property
    def deliverer_group(self) -> str:
        """The consumer group of the deliverers."""
        return f"{self.prefix}.deliverer"

    @property
    def alerts_group(self) -> str:
        """The consumer group of those who send alert emails."""
        return f"{self.prefix}.alerts"
