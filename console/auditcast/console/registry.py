"""The registry of destinations: the topic `audit.destinations`; see book.py."""

from collections.abc import Callable

from auditcast.console.book import Book, nearest
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision

Change = Callable[[Revision | None], Revision]
"""Makes the next revision from the newest (None: there is none); returns the one given if nothing is to change."""


class UnknownDestination(AuditcastError):
    """There is no destination of this id."""


class Registry(Book[Revision]):
    """All destinations, deleted ones too."""

    def __init__(self, connection: Connection, timeout: float = clients.ANSWER_S) -> None:
        """`timeout` in seconds bounds each wait for the broker."""
        topic = Topics(connection.topic_prefix).destinations
        super().__init__(connection, topic, Revision, lambda revision: revision.destination, timeout)

    def get(self, destination: str) -> Revision:
        """The newest revision; raises `UnknownDestination`."""
        found = self.find(destination)
        if found is not None:
            return found
        alive = (revision.destination for revision in self.all() if revision.state != "deleted")
        hint = nearest(destination, alive, "auditcast destinations list")
        raise UnknownDestination(f"there is no destination {destination!r}: {hint}")
