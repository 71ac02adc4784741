"""How long what is parked and what is dead is kept, and what else the operator has set."""

from auditcast.deliverers.alerts.alert import DAY_MS, Policy
from auditcast.deliverers.alerts.settings import Settings
from auditcast.deliverers.retention import kept
from auditcast.kafka.names import Topics


def policy(settings: Settings) -> Policy:
    """The policy with the topics as they are. Blocks."""
    topics = Topics(settings.connection.topic_prefix)
    parked, letters = kept(settings.connection, (topics.parked, topics.dead_letters))
    return Policy(
        every=settings.alert_every_ms,
        pause_after=int(settings.pause_after_days * DAY_MS),
        parked_retention=parked,
        letters_retention=letters,
    )
