"""Letters that a person calls settled."""

from collections.abc import Iterable

from auditcast.console.appends import Appends
from auditcast.console.letters import Letter
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection

RESOLVED_BY = "resolved-by"
RESOLVED_REASON = "resolved-reason"
"""Headers of a tombstone that a person wrote, both in UTF-8; a deliverer's has none."""


def resolve(connection: Connection, letters: Iterable[Letter], *, by: str, because: str) -> None:
    """Mark `letters` as settled by a person, and on record so until the topic is compacted; durable on return.

    Raises `BrokerUnavailable`; some may be marked then, and doing it again does no harm.
    """
    topic = Topics(connection.topic_prefix).dead_letters
    appends = Appends(connection)
    headers = [(RESOLVED_BY, by.encode()), (RESOLVED_REASON, because.encode())]
    for letter in letters:
        appends.append(topic, letter.partition, letter.key, None, headers)
    appends.flush()
