"""What emitting costs: `AuditLog.emit` beside its bare parts, in CPU time of the whole process per event.

The bare parts are msgspec's encoding of the same events, and confluent-kafka's produce of the same bytes, key and
header with a delivery callback, under the same settings, in the loop of its own manual (`produce`, `poll(0)`). Rounds
of the two alternate in one process; medians are printed, and the median ratio of neighbouring rounds. The goal is at
most twice. It starts the embedded broker unless told `--broker host:port`.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from secrets import token_hex
from typing import Any

from confluent_kafka import KafkaError, Message
from confluent_kafka.admin import AdminClient, NewTopic

from auditcast.kafka import clients
from auditcast.kafka.local import EmbeddedBroker
from auditcast.kafka.settings import Connection
from auditcast.producers import AuditLog
from auditcast.producers.encodings import JSON_HEADERS
from auditcast.producers.kafka_channel import COMPRESSION, LINGER_MS, MAX_BUFFERED_EVENTS
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.events import decode, encode

GOAL = 2.0
WORKSPACES = 100
PARTITIONS = 12

Emit = Callable[[dict[str, Any]], object]


def fields(number: int) -> dict[str, Any]:
    """The arguments of one emit: an event of some 700 bytes, as a web service has them."""
    return {
        "workspace": f"ws_{number % WORKSPACES:06}",
        "organization": f"org_{number % 10}",
        "category": "workflow",
        "action": "dispatched",
        "actor": {"id": f"usr_{number:08x}", "type": "user", "email": f"u{number}@example.com", "name": "Ann Example"},
        "target": {"type": "workflow", "id": f"wf_{number * 7919:012x}", "name": "deploy"},
        "description": f"Dispatched the workflow deploy for the {number}th time",
        "metadata": {
            "repository": "acme/infra",
            "branch": "main",
            "commit": f"{number * 2654435761:040x}",
            "attempt": number % 5,
            "inputs": {"environment": "production", "dry_run": False},
        },
        "ip": f"203.0.113.{number % 256}",
        "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    }


def cpu(work: Callable[[], None]) -> float:
    """CPU seconds of all threads of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def emitting(log: AuditLog, given: list[dict[str, Any]]) -> Callable[[], None]:
    """Emit them all, until they are durable."""
    rows = [tuple(each.values()) for each in given]

    def work() -> None:
        emit = log.emit
        for workspace, organization, category, action, actor, target, description, metadata, ip, user_agent in rows:
            emit(
                workspace=workspace,
                organization=organization,
                category=category,
                action=action,
                actor=actor,
                target=target,
                description=description,
                metadata=metadata,
                ip=ip,
                user_agent=user_agent,
            )
        assert log.flush(60) == 0

    return work


def bare(connection: Connection, given: list[dict[str, Any]]) -> Callable[[], None]:
    """Encode and produce the same, until they are durable."""
    with MemoryAuditLog() as log:
        for each in given:
            log.emit(**each)
        events = [(event.workspaceid, event) for event in map(decode, log.values)]
    acknowledged = 0

    def reported(error: KafkaError | None, _message: Message) -> None:
        nonlocal acknowledged
        assert error is None
        acknowledged += 1

    producer = clients.producer(
        connection,
        linger_ms=LINGER_MS,
        compression_type=COMPRESSION,
        queue_buffering_max_messages=MAX_BUFFERED_EVENTS,
    )
    topic = f"{connection.topic_prefix}.events"

    def work() -> None:
        expected = acknowledged + len(events)
        produce, poll = producer.produce, producer.poll
        for key, event in events:
            produce(topic, encode(event), key, headers=JSON_HEADERS, on_delivery=reported)
            poll(0)
        producer.flush(60)
        assert acknowledged == expected

    return work


def broker(address: str | None) -> AbstractContextManager[Connection]:
    """The broker to use."""
    if address:
        return nullcontext(Connection(bootstrap_servers=address, topic_prefix=f"bench-{token_hex(4)}"))
    return _Embedded()


class _Embedded:
    def __enter__(self) -> Connection:
        self._broker = EmbeddedBroker().start()
        return self._broker.connection("bench")

    def __exit__(self, *_: object) -> None:
        self._broker.stop()


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--events", type=int, default=10_000, help="events a round")
    options.add_argument("--rounds", type=int, default=15)
    options.add_argument("--broker", help="host:port instead of the embedded broker")
    chosen = options.parse_args()
    given = [fields(number) for number in range(chosen.events)]
    with broker(chosen.broker) as connection:
        admin = AdminClient(connection.confluent())
        for made in admin.create_topics([NewTopic(f"{connection.topic_prefix}.events", PARTITIONS, 1)]).values():
            made.result(10)
        with AuditLog(connection) as log:
            variants = {"AuditLog.emit": emitting(log, given), "bare encode + produce": bare(connection, given)}
            for work in variants.values():
                work()  # connections, caches
            spent: dict[str, list[float]] = {name: [] for name in variants}
            for _ in range(chosen.rounds):
                for name, work in variants.items():
                    spent[name].append(cpu(work) / chosen.events * 1e6)
    for name, figures in spent.items():
        print(
            f"{name:24} {statistics.median(figures):6.2f} µs CPU an event  ({min(figures):.2f} to {max(figures):.2f})"
        )
    # Of each round's own pair, since other work on the machine slows neighbours in time alike.
    ratio = statistics.median(whole / parts for whole, parts in zip(*spent.values(), strict=True))
    print(f"{'ratio':24} {ratio:6.2f}  (goal: at most {GOAL:g})")


if __name__ == "__main__":
    main()
