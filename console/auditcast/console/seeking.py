"""Finds where an event lies in the log."""

from collections.abc import Mapping

from msgspec import Struct

from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.console.sightings import Record, Seeker, Sighting, made_at
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection

SKEW_MS = 600_000
"""How far the clocks of emitters, workers and brokers may be apart."""


class Question(Struct, frozen=True):
    """Which event is asked for; only in the partition of `workspace`, and stamped `since` ms or later, if given."""

    event: str
    workspace: str | None = None
    since: int | None = None


def seek(connection: Connection, question: Question, count: Count) -> list[Sighting]:
    """The records that hold the event, until one lies where it should, or to the log's end.

    `count` hears of every record that is read. Raises `BrokerUnavailable` and `WrongTopics`.
    """
    with Scan(connection, Topics(connection.topic_prefix).events, count) as scan:
        seeker = Seeker(question.event, len(scan.bounds))
        partitions = list(scan.bounds)
        if question.workspace is not None:
            partitions = [partition_of(question.workspace, len(scan.bounds))]
        made = made_at(question.event)
        if made is not None and (question.since is None or question.since <= made):
            # The id tells when it was made: nearly always the event lies there, and the rest need not be read.
            near = _found(scan, seeker, scan.places(made - SKEW_MS, partitions), made + SKEW_MS)
            if any(seen.at_home for seen in near):
                return near
        return _found(scan, seeker, scan.places(question.since or 0, partitions), None)


def _found(scan: Scan, seeker: Seeker, starts: Mapping[int, int], until: int | None) -> list[Sighting]:
    found: list[Sighting] = []
    for message in scan.messages(starts, until):
        value, headers = message.value(), headers_of(message)
        if not value or not seeker.may_hold(value, headers):
            continue
        record = Record(message.partition() or 0, message.offset() or 0, message.timestamp()[1], value, headers)
        seen = seeker.sighting(record)
        if seen is not None:
            found.append(seen)
            if seen.at_home:
                break
    return found
