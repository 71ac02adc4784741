"""How destinations stand, as the topics have it."""

import logging
from collections.abc import Callable, Iterable

from msgspec import Struct

from auditcast.deliverers.alerts.alert import Situation
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Revision, Status, Workspace
from auditcast.schemas.wire import decode_as

Lookup = Callable[[bytes], bytes | None]
"""Gives the newest value of a key."""

log = logging.getLogger(__name__)


class Sight(Struct, frozen=True):
    """What is known of destinations, under their `names`, and of their workspaces; a view each."""

    names: Callable[[], Iterable[bytes]]
    revision: Lookup
    status: Lookup
    workspace: Lookup

    def situation(self, destination: str) -> Situation | None:
        """How it stands; None if it is none of the registered destinations, or cannot be read."""
        key = destination.encode()
        raw, status = self.revision(key), self.status(key)
        if raw is None:
            return None
        try:
            revision = decode_as(Revision, raw)
            fares = decode_as(Status, status) if status is not None else Status(destination=destination, at=0)
        except Undecodable as unreadable:
            log.warning("alerts.unreadable", extra={"destination": destination, "detail": str(unreadable)})
            return None
        return Situation(revision=revision, status=fares, workspace=self._workspace(revision))

    def _workspace(self, revision: Revision) -> Workspace | None:
        """What is known of its workspace; without that, only fewer people are told."""
        raw = self.workspace(revision.workspace.encode()) if revision.workspace is not None else None
        try:
            return decode_as(Workspace, raw) if raw is not None else None
        except Undecodable as unreadable:
            log.warning("alerts.unreadable", extra={"workspace": revision.workspace, "detail": str(unreadable)})
            return None
