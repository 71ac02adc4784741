"""Each thing that may be wrong with a topic is found, and nothing else is called wrong."""

import pytest
from msgspec.structs import replace

from auditcast.kafka.differences import Found, differences, specs
from auditcast.kafka.names import Topics

SPECS = specs(Topics())
AT = "kafka:9092"


def as_made(replication: int = 3) -> dict[str, Found]:
    return {
        spec.name: Found(partitions=12, replication=replication, settings=spec.made_with | spec.settings(replication))
        for spec in SPECS
    }


def changed(topic: str, **settings: str) -> list[str]:
    found = as_made()
    settings = {name.replace("_", "."): value for name, value in settings.items()}
    found[topic] = replace(found[topic], settings=found[topic].settings | settings)
    return [str(difference) for difference in differences(SPECS, found, AT, lenient=False)]


@pytest.mark.parametrize("replication", [1, 2, 3, 5])
def test_topics_as_made_do_not_differ(replication: int) -> None:
    assert differences(SPECS, as_made(replication), AT, lenient=False) == []


@pytest.mark.parametrize(
    ("topic", "setting"),
    [
        ("audit.events", {"retention_ms": "-1"}),
        ("audit.batches", {"retention_ms": "604800001"}),
        ("audit.dead-letters", {"cleanup_policy": "delete,compact"}),
        ("audit.links", {"max_message_bytes": "9000000"}),
        ("audit.links", {"min_insync_replicas": "3"}),
        ("audit.links", {"segment_bytes": "1073741824"}),
        ("audit.links", {"retention_ms": "1"}),  # says nothing about a topic that is only compacted
    ],
)
def test_what_does_no_harm_is_no_difference(topic: str, setting: dict[str, str]) -> None:
    assert changed(topic, **setting) == []


@pytest.mark.parametrize(
    ("topic", "setting", "said"),
    [
        ("audit.events", {"retention_ms": "604799999"}, "it must be at least 604800000"),
        ("audit.links", {"cleanup_policy": "compact,delete"}, "it must be compact"),
        ("audit.dead-letters", {"cleanup_policy": "delete"}, "it must be compact,delete"),
        ("audit.dead-letters", {"max_message_bytes": "2000000"}, "it must be at least 2200000"),
        ("audit.batches", {"min_insync_replicas": "1"}, "it must be at least 2"),
        ("audit.status", {"unclean_leader_election_enable": "true"}, "it must be false"),
    ],
)
def test_what_can_lose_records_is_said_with_the_command_that_mends_it(
    topic: str, setting: dict[str, str], said: str
) -> None:
    [sentence] = changed(topic, **setting)
    assert sentence.startswith(f"{topic} has ")
    assert said in sentence
    assert f": run kafka-configs --bootstrap-server {AT} --alter --entity-type topics --entity-name {topic}" in sentence


def test_a_list_is_quoted_as_kafka_configs_wants_it() -> None:
    [sentence] = changed("audit.dead-letters", cleanup_policy="delete")
    assert sentence.endswith("--add-config cleanup.policy=[compact,delete]")


def test_topics_must_agree_in_partitions_and_copies() -> None:
    found = as_made()
    found["audit.links"] = replace(found["audit.links"], partitions=6)
    found["audit.status"] = replace(found["audit.status"], replication=2)
    problems = [(each.topic, each.problem) for each in differences(SPECS, found, AT, lenient=False)]
    assert problems == [
        ("audit.links", "has 6 partitions, audit.events has 12"),
        ("audit.status", "lies on 2 brokers, audit.events on 3"),
    ]


def test_a_missing_topic_is_one_difference() -> None:
    found = as_made()
    del found["audit.events"]
    assert [str(each) for each in differences(SPECS, found, AT, lenient=True)] == [
        "audit.events does not exist: run 'auditcast topics create'"
    ]


@pytest.mark.parametrize("lenient", [True, False])
def test_a_setting_that_cannot_be_read_is_never_taken_for_right(lenient: bool) -> None:
    found = as_made()
    del found["audit.links"].settings["cleanup.policy"]
    [difference] = differences(SPECS, found, AT, lenient=lenient)
    assert (difference.problem, difference.warning) == ("does not show its cleanup.policy", lenient)
