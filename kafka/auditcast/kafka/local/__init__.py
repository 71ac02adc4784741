"""Brokers on this machine, for the demo, tests and benches: the embedded one, and Apache Kafka itself."""

from auditcast.kafka.local.apache import ApacheBroker, Detour
from auditcast.kafka.local.broker import Broker, LocalBrokerFailed
from auditcast.kafka.local.embedded import EmbeddedBroker

__all__ = ["ApacheBroker", "Broker", "Detour", "EmbeddedBroker", "LocalBrokerFailed"]
