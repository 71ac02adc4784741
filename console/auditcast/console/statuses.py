"""How destinations fare, as deliverers and processors last wrote it down."""

from collections.abc import Iterable

from msgspec import Struct

from auditcast.console.telling import is_gone
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions as count_partitions
from auditcast.schemas import wire
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Revision, Skipped, Status

SKIPPED = b"skipped/"
"""How the keys of `records.Skipped` begin, among all that lies in `audit.links`."""


class LeftOut(Struct, frozen=True):
    """Events that were not collected while the destination was disabled or not entitled, counted since `since` (ms)."""

    events: int = 0
    since: int | None = None


def state_of(revision: Revision, status: Status | None) -> str:
    """The state that people are shown: active, failing, paused, not-entitled, disabled, gone or deleted."""
    if is_gone(revision):
        return "gone"
    if not revision.collecting:
        return "not-entitled" if revision.state == "active" else revision.state
    if revision.paused:
        return "paused"
    return "failing" if status is not None and (status.open or status.failures) else "active"


def statuses(connection: Connection) -> dict[str, Status]:
    """By destination, of those that a deliverer had to do with; what else lies in the topic is passed over.

    Raises `BrokerUnavailable`, `WrongTopics`, `PartialRead`.
    """
    found: dict[str, Status] = {}
    with Scan(connection, Topics(connection.topic_prefix).status) as scan:
        for message in scan.to_end():
            key, value = (message.key() or b"").decode(errors="replace"), message.value()
            if value is None:
                found.pop(key, None)
                continue
            try:
                found[key] = wire.decode_as(Status, value)
            except Undecodable:  # one of the other kinds of records that lie there
                continue
    return found


def left_out(connection: Connection, revisions: Iterable[Revision]) -> dict[str, LeftOut]:
    """By destination, of at least those in `revisions` that ever collected nothing. Raises as `statuses` does.

    Each partition counts by itself; of a workspace's destination there is something in one of them only.
    """
    count = count_partitions(connection)
    concerned: set[int] = set()
    for each in revisions:
        concerned.update(range(count) if each.workspace is None else [partition_of(each.workspace, count)])
    newest: dict[tuple[str, int | None], Skipped] = {}
    with Scan(connection, Topics(connection.topic_prefix).links, concerned) as scan:
        for message in scan.to_end():
            value = message.value()
            if value is None or not (message.key() or b"").startswith(SKIPPED):
                continue
            found = wire.decode_as(Skipped, value)
            place = (found.destination, message.partition())
            if place not in newest or found.offset > newest[place].offset:
                newest[place] = found
    return summed(newest.values())


def summed(counts: Iterable[Skipped]) -> dict[str, LeftOut]:
    """By destination, what its partitions have counted."""
    sums: dict[str, LeftOut] = {}
    for each in counts:
        held = sums.get(each.destination, LeftOut())
        since = each.since if held.since is None else min(each.since, held.since)
        sums[each.destination] = LeftOut(held.events + each.events, since)
    return sums
