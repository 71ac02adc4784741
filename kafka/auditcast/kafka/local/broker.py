"""What every broker has in common: an address, what it can do, and being ready."""

import time
from typing import Self

from msgspec.structs import replace

from auditcast.kafka import clients
from auditcast.kafka.errors import BrokerUnavailable
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError

START_TIMEOUT_S = 120.0
"""A loaded machine with two cores starts three JVMs in less."""


class LocalBrokerFailed(AuditcastError):
    """A broker on this machine could not be started, or has ended by itself."""


class Broker:
    """A broker that already runs, or (in subclasses) one that this process starts and ends.

    `broker_time`: whether `LogAppendTime` holds, so that the broker's clock stamps events.
    `transactions`: whether who reads only committed records is spared aborted ones.
    `offset_texts`: whether it keeps the text that comes with a committed offset.
    """

    broker_time = True
    transactions = True
    offset_texts = True

    def __init__(self, bootstrap: str = "") -> None:
        self.bootstrap = bootstrap

    def connection(self, prefix: str = "audit") -> Connection:
        """How to reach it; groups notice a dead member as soon as Kafka allows."""
        return Connection(bootstrap_servers=self.bootstrap, topic_prefix=prefix, session_timeout_ms=6000)

    def start(self) -> Self:
        """Make it answer. Returns when it does; raises `LocalBrokerFailed`."""
        self._await_answer(self.bootstrap)
        return self

    def stop(self) -> None:
        """End what `start` started; without effect otherwise."""

    def check(self) -> None:
        """Raise `LocalBrokerFailed` if a process of it has ended by itself."""

    def _await_answer(self, address: str, nodes: int = 1) -> None:
        """Return once the broker at `address` answers and knows of `nodes` brokers."""
        # A client that once failed waits before it tries again; a short wait, since the broker is being started.
        connection = replace(self.connection(), bootstrap_servers=address)
        admin = clients.Admin(connection, reconnect_backoff_max_ms=200)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                if len(admin.metadata(timeout=0.5).brokers) >= nodes:
                    return
            except BrokerUnavailable:
                continue
        raise LocalBrokerFailed(f"the broker at {address} did not answer within {START_TIMEOUT_S:.0f} s")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
