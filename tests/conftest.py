"""Fixtures for every test: a broker, topics of one's own on it, and a certificate authority."""

import os
from collections.abc import Callable, Iterator
from secrets import token_hex
from typing import Self

import hypothesis
import pytest
import trustme

from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.local import ApacheBroker, Broker, EmbeddedBroker, LocalBrokerFailed
from auditcast.kafka.settings import Connection

# A machine that is busy makes no test fail.
hypothesis.settings.register_profile("auditcast", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("auditcast")

LANE = "AUDITCAST_TEST_BROKER"
"""Which broker the tests run on: embedded (the default), apache, docker, or the host:port of one that runs."""

PARTITIONS = 4


class DockerBroker(Broker):
    """Apache Kafka in a container, where there is a Docker daemon."""

    def start(self) -> Self:
        """Start it; raises `LocalBrokerFailed` without a daemon."""
        from docker.errors import DockerException
        from testcontainers.community.kafka import KafkaContainer

        try:
            self._container = KafkaContainer("confluentinc/cp-kafka:7.9.1").with_kraft()
            self._container.ports = {self._container.port: ("127.0.0.1", None)}  # else Docker listens on all interfaces
            self._container.with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
            self._container.with_env("KAFKA_MESSAGE_MAX_BYTES", "3000000")
            self._container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
            self._container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
            self._container.start()
        except DockerException as missing:
            raise LocalBrokerFailed(f"no Docker daemon answers: {missing}") from None
        self.bootstrap = self._container.get_bootstrap_server()
        return super().start()

    def stop(self) -> None:
        """End the container."""
        self._container.stop()


KINDS: dict[str, Callable[[], Broker]] = {
    "embedded": EmbeddedBroker,
    "apache": ApacheBroker,
    "docker": DockerBroker,
}


@pytest.fixture(scope="session")
def broker() -> Iterator[Broker]:
    """The broker of this lane. One that cannot be had fails the tests in CI and skips them elsewhere."""
    name = os.environ.get(LANE, "embedded")
    lane = KINDS[name]() if name in KINDS else Broker(name)
    try:
        lane.start()
    except LocalBrokerFailed as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
    yield lane
    lane.stop()


@pytest.fixture
def topics(broker: Broker) -> Connection:
    """A connection with a fresh prefix, all topics made, `PARTITIONS` partitions each."""
    connection = broker.connection(f"test-{token_hex(4)}")
    kafka_topics.create(connection, PARTITIONS)
    return connection


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    """A certificate authority that only these tests trust."""
    return trustme.CA()
