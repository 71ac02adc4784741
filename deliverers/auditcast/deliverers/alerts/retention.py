"""How long the topics really keep what is parked and what is dead."""

from confluent_kafka import KafkaError
from confluent_kafka.admin import ConfigResource, ResourceType

from auditcast.deliverers.alerts.alert import DAY_MS, Policy
from auditcast.deliverers.alerts.settings import Settings
from auditcast.kafka import clients
from auditcast.kafka.differences import specs
from auditcast.kafka.names import Topics

SETTING = "retention.ms"


def policy(settings: Settings) -> Policy:
    """The policy with these topics; one whose setting the broker does not show counts as made by us. Blocks."""
    topics = Topics(settings.connection.topic_prefix)
    made = {spec.name: spec.must[SETTING] for spec in specs(topics) if SETTING in spec.must}
    names = [topics.parked, topics.dead_letters]
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    admin = clients.Admin(settings.connection)
    answers = admin.wait(lambda client: client.describe_configs(resources, request_timeout=clients.ANSWER_S))
    shown = {
        resource.name: {} if isinstance(answer, KafkaError) else {name: entry.value for name, entry in answer.items()}
        for resource, answer in answers.items()
    }
    parked, letters = (_kept(shown.get(name, {}).get(SETTING) or made[name]) for name in names)
    return Policy(
        every=settings.alert_every_ms,
        pause_after=int(settings.pause_after_days * DAY_MS),
        parked_retention=parked,
        letters_retention=letters,
    )


def _kept(text: str) -> int | None:
    """A retention in ms; the broker's -1 is for ever."""
    return int(text) if int(text) >= 0 else None
