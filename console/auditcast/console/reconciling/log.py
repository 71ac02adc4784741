"""Which part of the log is counted, with what is known of it beside its records."""

from collections.abc import Collection, Mapping

from confluent_kafka import Message
from msgspec import Struct

from auditcast.console.backfill import Row
from auditcast.console.periods import begins_stream
from auditcast.console.reconciling.commits import Places
from auditcast.console.reconciling.counts import Window
from auditcast.console.reconciling.courses import Part
from auditcast.console.reconciling.ledger import Chain
from auditcast.console.reconciling.links import Links
from auditcast.console.reconciling.recount import Coverage, Recount
from auditcast.console.scanning import Count, Scan, headers_of
from auditcast.console.seeking import SKEW_MS
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.processors.state import before
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer


class Asked(Struct, frozen=True):
    """What a person wants to know: of these destinations, or of all if there are no `wanted`; in this window."""

    window: Window
    revisions: Collection[Revision]
    wanted: frozenset[str] | None = None

    @property
    def scopes(self) -> frozenset[str]:
        """All workspaces and organizations whose events matter."""
        return frozenset(revision.workspace or revision.organization or "" for revision in self.revisions)


class Log:
    """The events topic. `processed` is how far the processors were before anything else was read."""

    def __init__(self, connection: Connection, asked: Asked, known: Links, processed: Places) -> None:
        self._connection = connection
        self._topic = Topics(connection.topic_prefix).events
        self._asked = asked
        self._known = known
        self._processed = processed

    def recount(self, window: Window, chains: Mapping[str, Chain], sealer: Sealer, count: Count) -> list[Recount]:
        """The counts of each partition in which events of the destinations may lie, given what the batches cover."""
        coverage = Coverage(chains, self._known.covered)
        with Scan(self._connection, self._topic, count) as scan:
            firsts = scan.places(max(window.since - SKEW_MS, 0), self._numbers(scan))
            recounts = {
                number: Recount(self._part(scan, number, first), window, coverage, sealer)
                for number, first in firsts.items()
            }
            for message in scan.messages({number: recount.part.begin for number, recount in recounts.items()}):
                recounts[message.partition() or 0].take(_row(message))
        return list(recounts.values())

    def _numbers(self, scan: Scan) -> list[int]:
        if self._asked.wanted is None or any(not revision.workspace for revision in self._asked.revisions):
            return list(scan.bounds)
        homes = {partition_of(each.workspace, len(scan.bounds)) for each in self._asked.revisions if each.workspace}
        return sorted(homes | {number for number, entries in self._known.entries.items() if entries})

    def _part(self, scan: Scan, number: int, first: int) -> Part:
        entries = self._known.entries.get(number, {})
        # What was in force where counting begins may only be told by the controls before; so may what was moved.
        forgotten = any(
            before(listed, first) is None and not begins_stream(listed[0], number) for listed in entries.values()
        )
        return Part(
            partition=number,
            partitions=len(scan.bounds),
            entries=entries,
            backfills=list(self._known.backfills.get(number, {}).values()),
            committed=self._processed[self._topic, number].offset,
            scopes=self._asked.scopes,
            wanted=self._asked.wanted,
            begin=scan.bounds[number][0] if forgotten or number in self._known.moved else first,
            first=first,
        )


def _row(message: Message) -> Row:
    return Row(message.offset() or 0, message.timestamp()[1], message.key(), message.value(), headers_of(message))
