"""How long topics really keep their records."""

from collections.abc import Sequence

from confluent_kafka import KafkaError
from confluent_kafka.admin import ConfigResource, ResourceType

from auditcast.kafka import clients
from auditcast.kafka.differences import specs
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection

SETTING = "retention.ms"


def kept(connection: Connection, names: Sequence[str]) -> list[int | None]:
    """Of each topic in ms, None for ever; one whose setting the broker does not show counts as made by us. Blocks."""
    made = {spec.name: spec.must[SETTING] for spec in specs(Topics(connection.topic_prefix)) if SETTING in spec.must}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers = clients.Admin(connection).wait(
        lambda client: client.describe_configs(resources, request_timeout=clients.ANSWER_S)
    )
    shown = {
        resource.name: {} if isinstance(answer, KafkaError) else {name: entry.value for name, entry in answer.items()}
        for resource, answer in answers.items()
    }
    return [_time(shown.get(name, {}).get(SETTING) or made[name]) for name in names]


def _time(text: str) -> int | None:
    """A retention in ms; the broker's -1 is for ever."""
    return int(text) if int(text) >= 0 else None
