"""Topics are made and checked on every broker."""

from secrets import token_hex

import pytest
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from auditcast.kafka import clients
from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.differences import specs
from auditcast.kafka.errors import WrongTopics
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection


def made_by_hand(connection: Connection, name: str, partitions: int, settings: dict[str, str]) -> None:
    asked = [NewTopic(name, partitions, 1, config=settings)]
    admin = clients.Admin(connection)
    assert admin.wait(lambda client: client.create_topics(asked)) == {name: None}
    while name not in admin.metadata().topics:
        pass  # the node that answers hears of it a moment later


def alter(connection: Connection, topic: str, name: str, value: str) -> None:
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = clients.Admin(connection)
    assert admin.wait(lambda client: client.incremental_alter_configs([resource])) == {resource: None}
    shown = None
    while shown != value:  # the node that answers applies it a moment after the one that took it
        [settings] = admin.wait(lambda client: client.describe_configs([resource])).values()
        shown = settings[name].value


def test_topics_just_made_differ_in_nothing_but_the_clock_where_the_broker_has_none(
    topics: Connection, broker: Broker
) -> None:
    found = kafka_topics.check(topics)
    assert [(difference.problem, difference.warning) for difference in found] == (
        [] if broker.broker_time else [("keeps its producers' timestamps instead of the broker's", False)]
    )
    assert all(difference.warning for difference in kafka_topics.require(topics, "producer"))


def test_making_topics_again_does_no_harm(topics: Connection) -> None:
    assert kafka_topics.create(topics, partitions=7) == []
    assert kafka_topics.partitions(topics) == 4


def test_topics_added_later_get_the_number_of_partitions_that_the_events_have(broker: Broker) -> None:
    connection = broker.connection(f"test-{token_hex(4)}")
    made_by_hand(connection, Topics(connection.topic_prefix).events, 3, {"message.timestamp.type": "LogAppendTime"})
    made = kafka_topics.create(connection)
    assert len(made) == len(specs(Topics(connection.topic_prefix))) - 1
    problems = [
        difference.problem for difference in kafka_topics.check(connection, "producer") if not difference.warning
    ]
    assert all("partitions" not in problem for problem in problems)


def test_a_worker_refuses_other_numbers_of_partitions_and_missing_topics(broker: Broker) -> None:
    connection = broker.connection(f"test-{token_hex(4)}")
    names = Topics(connection.topic_prefix)
    with pytest.raises(WrongTopics, match=rf"{names.events} does not exist: run 'auditcast topics create'"):
        kafka_topics.require(connection, "producer")
    made_by_hand(connection, names.batches, 2, {})
    kafka_topics.create(connection, partitions=3)
    with pytest.raises(WrongTopics, match=rf"{names.batches} has 2 partitions, {names.events} has 3"):
        kafka_topics.require(connection, "producer", trial=False)


def test_a_setting_that_was_changed_is_named_with_the_command_that_mends_it(
    topics: Connection,
) -> None:
    links = Topics(topics.topic_prefix).links
    alter(topics, links, "cleanup.policy", "delete")
    [difference] = [one for one in kafka_topics.check(topics, "producer") if not one.warning]
    assert str(difference) == (
        f"{links} has cleanup.policy=delete, it must be compact: run kafka-configs --bootstrap-server"
        f" {topics.bootstrap_servers} --alter --entity-type topics --entity-name {links}"
        " --add-config cleanup.policy=compact"
    )


def test_the_trial_tells_producers_time_from_the_brokers(topics: Connection) -> None:
    alter(topics, Topics(topics.topic_prefix).events, "message.timestamp.type", "CreateTime")
    [difference] = kafka_topics.check(topics)
    assert "--add-config message.timestamp.type=LogAppendTime" in difference.mend
