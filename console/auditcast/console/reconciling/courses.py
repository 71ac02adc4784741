"""The streams of a partition and their rules, as the log is stepped through. No clock, no I/O."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from auditcast.console.backfill import Row
from auditcast.console.periods import begins_stream
from auditcast.console.reconciling.ledger import Chain
from auditcast.console.reconciling.rules import Course, Rule
from auditcast.processors.state import before
from auditcast.schemas import controls
from auditcast.schemas.chain import stream_epoch, stream_name
from auditcast.schemas.errors import Refused
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Backfill, Control, Note, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode_as

NEVER = 1 << 62
"""A time, and an offset, that does not come."""


class Part(Struct, frozen=True, kw_only=True):
    """One partition of the log, of `partitions`: what is known of it beside its records.

    `entries` are the revisions in force there of each destination (which has at least one), `backfills` what was
    batched later, `committed` how far the processors are, as of before the batches were read. `scopes` are the
    workspaces and organizations that matter, `wanted` the destinations (None: all). Reading begins at `begin`; events
    count from the offset `first` on.
    """

    partition: int
    partitions: int
    entries: Mapping[str, Sequence[RevisionInForce]]
    backfills: Sequence[Backfill]
    committed: int
    scopes: frozenset[str]
    wanted: frozenset[str] | None
    begin: int
    first: int


class Courses:
    """`known_from` is the time in ms before which a stream's rules are not known; `notes` are all that were met."""

    def __init__(self, part: Part, chains: Mapping[str, Chain], sealer: Sealer) -> None:
        self.known_from: dict[str, int] = {}
        self.notes: list[Note] = []
        self._part = part
        self._sealer = sealer
        self._courses: dict[str, Course] = {}
        self._backfills: list[Course] = []
        self._index: dict[str, list[Course]] = {}
        self._entered = {entry.offset: entry for entries in part.entries.values() for entry in entries}
        for backfill in part.backfills:
            self._plan(backfill, chains.get(backfill.stream))
        for destination, entries in part.entries.items():
            self._begin(destination, entries)

    @property
    def streams(self) -> set[str]:
        """All that there were."""
        return {course.stream for course in (*self._courses.values(), *self._backfills)}

    def of(self, workspace: str, organization: str | None) -> Sequence[Course]:
        """Whose an event is."""
        own = self._index.get(workspace, ())
        return own if organization is None else [*own, *self._index.get(organization, ())]

    def filled(self, destination: str, offset: int) -> bool:
        """Whether a backfill has brought to the destination what lies at `offset`."""
        return any(
            course.destination == destination and course.first <= offset < course.end for course in self._backfills
        )

    def take(self, row: Row) -> None:
        """The next record of the pipeline's own."""
        entry = self._entered.get(row.offset)
        if entry is not None and entry.timestamp == row.timestamp:
            self._obey(entry.revision, row)
            return
        try:
            control = decode_as(Control, row.value or b"")
            said = controls.content(control, self._sealer)
        except Refused:
            return  # forged, or made with a key that is not at hand: then what follows from it is missed, and told
        if control.partition != self._part.partition:
            return
        if isinstance(said, Note):
            self.notes.append(said)
        elif self._counts(said, row.offset):
            self._obey(said, row)

    def _plan(self, backfill: Backfill, chain: Chain | None) -> None:
        reached = max(backfill.last_offset, chain.covered if chain is not None else -1)
        end = backfill.end if backfill.finished else reached + 1
        revision = decode_as(Revision, backfill.revision)
        course = Course(backfill.stream, revision.destination, backfill.first, end)
        course.rule = Rule(revision)
        self._backfills.append(course)
        self._put(course, revision)

    def _begin(self, destination: str, entries: Sequence[RevisionInForce]) -> None:
        """What is known of a destination before the first record."""
        course = self._courses[destination] = Course(entries[0].stream, destination, 0, NEVER)
        entry = before(entries, self._part.begin)
        if entry is not None:
            course.rule = Rule(entry.revision)
            self._put(course, entry.revision)
        elif not begins_stream(entries[0], self._part.partition):
            self.known_from[course.stream] = NEVER  # until something says more

    def _counts(self, revision: Revision, offset: int) -> bool:
        """Whether a revision that the processors keep no record of was, or will be, in force from `offset`."""
        if self._part.wanted is not None and revision.destination not in self._part.wanted:
            return False
        entries = self._part.entries.get(revision.destination)
        if entries and entries[0].offset <= offset <= entries[-1].offset:
            return False  # they have seen it, and ignored it
        if revision.format not in FORMATS:
            return False  # it is a dead letter
        course = self._courses.get(revision.destination)
        held = None if course is None or course.rule is None else course.rule.revision
        return held is None or (held.state != "deleted" and revision.order > held.order)

    def _obey(self, revision: Revision, row: Row) -> None:
        course = self._courses.get(revision.destination)
        if course is None:
            epoch = stream_epoch(revision.epoch, row.offset, row.timestamp)
            stream = stream_name(revision.destination, self._part.partition, epoch)
            course = self._courses[revision.destination] = Course(stream, revision.destination, 0, NEVER)
        if self.known_from.get(course.stream) == NEVER:
            self.known_from[course.stream] = row.timestamp
        course.rule = Rule(revision)
        self._put(course, revision)

    def _put(self, course: Course, revision: Revision) -> None:
        """Note whose events `course` takes, or that it takes no more."""
        scope = revision.workspace or revision.organization or ""
        others = [each for each in self._index.get(scope, ()) if each is not course]
        self._index[scope] = others if revision.state == "deleted" else [*others, course]
