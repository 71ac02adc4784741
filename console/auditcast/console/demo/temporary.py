"""The demo's own topics, on whichever broker: made at the beginning, and removed at the end."""

import contextlib
from collections.abc import Iterator
from concurrent.futures import Future

from confluent_kafka.admin import AdminClient

from auditcast.kafka import clients, topics
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError

PARTITIONS = 4


@contextlib.contextmanager
def topics_of_our_own(connection: Connection) -> Iterator[None]:
    """All topics under the connection's prefix, and nothing of them afterwards."""
    made = topics.create(connection, PARTITIONS)
    try:
        yield
    finally:
        _remove(connection, made)


def _remove(connection: Connection, made: list[str]) -> None:
    names = Topics(connection.topic_prefix)
    groups = [names.processor_group, names.deliverer_group]

    def ask(client: AdminClient) -> dict[str, Future[None]]:
        return {**client.delete_topics(made), **client.delete_consumer_groups(groups)}

    # A broker that is gone has taken them with it, and one that cannot remove groups (the embedded one) keeps none.
    with contextlib.suppress(AuditcastError):
        clients.Admin(connection).wait(ask)
