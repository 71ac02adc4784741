"""The pipeline's topics at the broker: made, and proved to be as the pipeline needs them."""

import time

from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, KafkaError, Message, TopicPartition
from confluent_kafka.admin import ConfigResource, NewTopic, ResourceType, TopicMetadata

from auditcast.kafka import clients
from auditcast.kafka.differences import Difference, Found, differences, specs, wrong_time
from auditcast.kafka.errors import BrokerUnavailable, WrongTopics
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, Timestamps

DEFAULT_PARTITIONS = 12
"""As many processors can share the work; the number is fixed once the topics are made."""

TRIAL_AGE_MS = 3_600_000
"""How old the trial record claims to be: more than clocks differ, and too little for retention to act on."""

VISIBLE_S = 30.0
"""Within which a topic just made must show on the brokers."""


def create(connection: Connection, partitions: int | None = None, replication: int | None = None) -> list[str]:
    """Make the topics that are missing; returns their names. Those that exist are left as they are: see `check`.

    `partitions` is by default what the events topic has, or `DEFAULT_PARTITIONS`; `replication` 3, or as many
    brokers as there are. Raises `WrongTopics` when the broker refuses, `BrokerUnavailable`.
    """
    admin = clients.Admin(connection)
    cluster = admin.metadata()
    names = Topics(connection.topic_prefix)
    if partitions is None:
        events = cluster.topics.get(names.events)
        partitions = len(events.partitions) if events else DEFAULT_PARTITIONS
    copies = replication or min(3, len(cluster.brokers))
    missing = [spec for spec in specs(names) if spec.name not in cluster.topics]
    if not missing:
        return []
    asked = [NewTopic(spec.name, partitions, copies, config=spec.made_with | spec.settings(copies)) for spec in missing]
    answers = admin.wait(lambda client: client.create_topics(asked))
    for name, answer in answers.items():
        if isinstance(answer, KafkaError) and answer.code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise WrongTopics(f"{name} could not be made: {answer.str()}")
    _await_visible(admin, [spec.name for spec in missing])
    return [name for name, answer in answers.items() if answer is None]


def check(connection: Connection, timestamps: Timestamps = "broker", *, trial: bool = True) -> list[Difference]:
    """Everything that differs from what the pipeline needs, warnings among it; empty when all is well.

    `trial` proves whose clock stamps events: an empty record, which the processor takes for a tick, is appended to
    partition 0 with an old timestamp and read back. Raises `BrokerUnavailable`.
    """
    admin = clients.Admin(connection)
    wanted = specs(Topics(connection.topic_prefix))
    found = _found(admin, [spec.name for spec in wanted])
    at = connection.bootstrap_servers
    result = differences(wanted, found, at, lenient=timestamps == "producer")
    if trial:
        timed = [spec.name for spec in wanted if spec.broker_time and spec.name in found]
        result += [wrong_time(name, at, timestamps) for name in timed if not _stamped_by_broker(connection, name)]
    return result


def require(connection: Connection, timestamps: Timestamps = "broker", *, trial: bool = True) -> list[Difference]:
    """As `check`, for a worker's start: raises `WrongTopics` with all differences, returns the warnings."""
    result = check(connection, timestamps, trial=trial)
    wrong = [str(difference) for difference in result if not difference.warning]
    if wrong:
        raise WrongTopics("the topics are not as they must be:\n" + "\n".join(f"- {line}" for line in wrong))
    return result


def partitions(connection: Connection) -> int:
    """How many partitions the events topic has now; one request. Raises `WrongTopics` if there is none."""
    name = Topics(connection.topic_prefix).events
    events = clients.Admin(connection).metadata().topics.get(name)
    if events is None:
        raise WrongTopics(f"{name} does not exist: run 'auditcast topics create'")
    return len(events.partitions)


def _found(admin: clients.Admin, names: list[str]) -> dict[str, Found]:
    existing = {name: topic for name, topic in admin.metadata().topics.items() if name in names}
    resources = [ConfigResource(ResourceType.TOPIC, name) for name in existing]
    settings: dict[str, dict[str, str]] = {}
    if resources:
        answers = admin.wait(lambda client: client.describe_configs(resources, request_timeout=clients.ANSWER_S))
        for resource, answer in answers.items():
            # A broker that does not tell is one whose settings cannot be read: differences.py says so.
            entries = {} if isinstance(answer, KafkaError) else answer
            settings[resource.name] = {name: entry.value for name, entry in entries.items() if entry.value is not None}
    return {
        name: Found(
            partitions=len(topic.partitions),
            replication=min((len(partition.replicas) for partition in topic.partitions.values()), default=0),
            settings=settings[name],
        )
        for name, topic in existing.items()
    }


def _await_visible(admin: clients.Admin, names: list[str]) -> None:
    deadline = time.monotonic() + VISIBLE_S
    while time.monotonic() < deadline:
        topics = admin.metadata().topics
        if all(name in topics and _led(topics[name]) for name in names):
            return
        time.sleep(0.02)  # between two requests: nothing announces it
    raise BrokerUnavailable(f"the new topics did not show within {VISIBLE_S:.0f} s: run 'auditcast topics check'")


def _led(topic: TopicMetadata) -> bool:
    found = topic.partitions.values()
    return bool(found) and all(partition.leader >= 0 for partition in found)


def _stamped_by_broker(connection: Connection, topic: str) -> bool:
    delivered: list[tuple[KafkaError | None, Message]] = []
    producer = clients.producer(connection, delivery_timeout_ms=int(clients.ANSWER_S * 1000))
    claimed = int(time.time() * 1000) - TRIAL_AGE_MS
    producer.produce(
        topic, value=b"", partition=0, timestamp=claimed, on_delivery=lambda *report: delivered.append(report)
    )
    producer.flush(clients.ANSWER_S + 1)
    if not delivered:
        raise BrokerUnavailable(f"{topic} took no record within {clients.ANSWER_S:.0f} s: see its leader and replicas")
    error, written = delivered[0]
    if error is not None:
        if error.code() == KafkaError.INVALID_TIMESTAMP:
            return False  # only a topic that keeps producers' timestamps looks at them
        raise clients.translated(error, connection)
    reader = clients.reader(connection, isolation_level="read_uncommitted", fetch_wait_max_ms=10)
    try:
        reader.assign([TopicPartition(topic, 0, written.offset() or 0)])
        read = reader.poll(clients.ANSWER_S)
    finally:
        reader.close()
    if read is None or read.error():
        raise BrokerUnavailable(f"{topic} does not give back what was just written to it: see its leader and replicas")
    kind, stamped = read.timestamp()
    return bool(kind == TIMESTAMP_LOG_APPEND_TIME and stamped != claimed)
