"""The log counted anew: whose event each one is, under the revisions in force at its offset. No clock, no I/O.

What decides whether an event is wanted, fits and is no repeat are the same pure functions that processors use. How they
keep state, windows, chains and commits has no part in it: that is what is checked.
"""

from collections.abc import Mapping

from msgspec import UNSET, Struct

from auditcast.console.backfill import Row, is_control
from auditcast.console.reconciling.counts import Counts, Table, Window, counts_in
from auditcast.console.reconciling.courses import Courses, Part
from auditcast.console.reconciling.ledger import Chain
from auditcast.console.reconciling.rules import Course, Rule
from auditcast.kafka.partitioner import partition_of
from auditcast.processors import moves
from auditcast.schemas.admission import admit, minimal
from auditcast.schemas.avro_events import to_cloudevent
from auditcast.schemas.errors import EventTooLarge, Refused
from auditcast.schemas.events import MAX_EVENT_BYTES, CloudEvent, decode_route, encode
from auditcast.schemas.records import AuditEvent, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import MARKER, decode_as


class Coverage(Struct, frozen=True):
    """How far each stream is batched: `chains` by the batches that were read, `links` by what processors have noted."""

    chains: Mapping[str, Chain]
    links: Mapping[str, int]


class Lagging(Struct):
    """Events that are in no batch yet; `oldest` in ms. `destination` is None if they lie in a wrong partition."""

    destination: str | None
    events: int
    oldest: int
    first: int
    last: int


class Recount:
    """Takes the records of a partition in their order.

    `collected` are events by stream and hour, `lagging` those of each stream that are not batched yet. All others are
    in `table`.
    """

    def __init__(self, part: Part, window: Window, coverage: Coverage, sealer: Sealer) -> None:
        self.part = part
        self.courses = Courses(part, coverage.chains, sealer)
        self.table: Table = {}
        self.collected: dict[tuple[str, int], int] = {}
        self.lagging: dict[str, Lagging] = {}
        self._window = window
        self._coverage = coverage
        self._sealer = sealer
        self._newest_moved: dict[int, int] = {}

    def take(self, row: Row) -> None:
        """The next record."""
        value = row.value
        if not value:
            return
        if is_control(value):
            self.courses.take(row)
        elif row.offset < self.part.first:
            self._remember(row)
        elif value[:2] == MARKER:
            self._avro(row, value)
        else:
            self._json(row, value)

    def _json(self, row: Row, value: bytes) -> None:
        plain = moves.is_plain(row.headers)
        if plain and not self._concerns(value):
            return
        try:
            event, raw = minimal(value) if plain else None, value
            if event is None:
                event, raw = admit(value, row.headers)
        except Refused:
            return
        organization = None if event.organizationid is UNSET else event.organizationid
        if not self._lies_right(row, event.workspaceid, organization):
            return
        for course in self.courses.of(event.workspaceid, organization):
            self._count(course, row, event, raw)

    def _avro(self, row: Row, value: bytes) -> None:
        try:
            event = decode_as(AuditEvent, value)
            if not self._lies_right(row, event.workspace, event.organization):
                return
            courses = [(course, course.rule) for course in self.courses.of(event.workspace, event.organization)]
            written = [(course, *_written(event, rule.revision)) for course, rule in courses if rule is not None]
        except Refused:
            return
        for course, found, raw in written:
            self._count(course, row, found, raw)

    def _concerns(self, value: bytes) -> bool:
        """Whether an event must be looked at in full, told from its routing fields."""
        try:
            route = decode_route(value)
        except (ValueError, RecursionError):
            return True
        return route.workspaceid in self.part.scopes or route.organizationid in self.part.scopes

    def _remember(self, row: Row) -> None:
        """Of what lies before all that counts: what was moved here, so that it is known if it comes once more."""
        origin = moves.origin(row.headers, self._sealer, self.part.partition, row.value or b"")
        if origin is not None:
            held = self._newest_moved.get(origin.partition, -1)
            self._newest_moved[origin.partition] = max(held, origin.offset)

    def _lies_right(self, row: Row, workspace: str, organization: str | None) -> bool:
        """Whether the event counts here: it belongs here, and was not moved here before."""
        part = self.part
        home = partition_of(workspace, part.partitions)
        origin = moves.origin(row.headers, self._sealer, part.partition, row.value or b"")
        if origin is None:
            if home != part.partition and row.offset >= part.committed and {workspace, organization} & part.scopes:
                self._lag("", None, row)
            return home == part.partition
        if origin.offset <= self._newest_moved.get(origin.partition, -1) or home != part.partition:
            return False
        self._newest_moved[origin.partition] = origin.offset
        return True

    def _count(self, course: Course, row: Row, event: CloudEvent, raw: bytes) -> None:
        rule = course.rule
        if rule is None or not course.first <= row.offset < course.end or not rule.wants(event):
            return
        if rule.revision.collecting and rule.fits(event, raw):
            self._collect(course, row)
        elif (counts := self._own(course, row)) is not None:
            _leave_out(counts, rule, filled=self.courses.filled(course.destination, row.offset))

    def _collect(self, course: Course, row: Row) -> None:
        chain = self._coverage.chains.get(course.stream)
        covered = self._coverage.links.get(course.stream, -1) if chain is None else chain.covered
        if row.offset > covered and row.offset >= self.part.committed:
            counts = self._own(course, row)
            if counts is not None:
                counts.emitted += 1
                counts.unbatched += 1
                self._lag(course.stream, course.destination, row)
            return
        hour = self._window.hour(row.timestamp)
        if chain is not None and row.offset <= covered:
            hour = chain.hour(row.offset, hour)
        if hour is not None:
            key = (course.stream, hour)
            self.collected[key] = self.collected.get(key, 0) + 1

    def _own(self, course: Course, row: Row) -> Counts | None:
        """The counts of the event's own hour."""
        hour = self._window.hour(row.timestamp)
        return None if hour is None else counts_in(self.table, course.destination, hour)

    def _lag(self, stream: str, destination: str | None, row: Row) -> None:
        if self._window.hour(row.timestamp) is None:
            return
        held = self.lagging.get(stream)
        if held is None:
            self.lagging[stream] = Lagging(destination, 1, row.timestamp, row.offset, row.offset)
        else:
            held.events += 1
            held.oldest = min(held.oldest, row.timestamp)
            held.last = row.offset


def _leave_out(counts: Counts, rule: Rule, *, filled: bool) -> None:
    """Count an event that is in no batch of its stream; one that was `filled` in later counts there."""
    if rule.revision.collecting:
        counts.emitted += 1
        counts.refused += 1
    elif not filled:
        counts.emitted += 1
        counts.not_entitled += rule.revision.state == "active"
        counts.disabled += rule.revision.state != "active"


def _written(event: AuditEvent, revision: Revision) -> tuple[CloudEvent, bytes]:
    written = to_cloudevent(event, revision.base_url, revision.type_prefix)
    raw = encode(written)
    if len(raw) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(raw), MAX_EVENT_BYTES)
    return written, raw
