"""The core: one partition of the events topic, record by record. A batch is a pure function of the log.

No clock and no I/O: time is what the records are stamped with. `step` may be run again from any offset that was
allowed as a commit, with the state that was durable, and asks for the same batches, byte for byte.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, cast

from msgspec import UNSET, Struct

from auditcast.kafka.partitioner import partition_of
from auditcast.processors import moves, state
from auditcast.processors.effects import Bury, Effect, Move, PutManifest, PutState
from auditcast.processors.errors import AlienState
from auditcast.processors.hours import Hours
from auditcast.processors.keys import Keys
from auditcast.processors.roster import Roster
from auditcast.processors.skips import Skips
from auditcast.processors.stream import Stream
from auditcast.processors.windows import Windows
from auditcast.schemas import controls
from auditcast.schemas.admission import admit, minimal
from auditcast.schemas.avro_events import to_cloudevent
from auditcast.schemas.chain import destination_of
from auditcast.schemas.errors import EventTooLarge, Refused, Undecodable
from auditcast.schemas.events import MAX_EVENT_BYTES, CloudEvent, decode_route, encode
from auditcast.schemas.manifests import size_of
from auditcast.schemas.records import (
    AuditEvent,
    Control,
    DeadLetter,
    Moved,
    Note,
    NoteEntered,
    RecordHeader,
    Revision,
)
from auditcast.schemas.wire import MARKER, decode

HOMES_REMEMBERED = 100_000
"""Workspaces whose partition is remembered; computing one takes some microseconds."""

MOST_HEADERS = 64 * 1024
"""Bytes of headers that an event may have and still be moved."""

MOST_BURIED = 1_800_000
"""Bytes of a record that are kept whole in a dead letter; the topic takes 2 MB."""

BEGINNING = 64 * 1024
"""Bytes that are kept of a larger one."""

MOST_NOTE = 8 * 1024
"""Bytes of a note, which must leave room for others in a manifest; people may write 500 characters."""


class LogRecord(Protocol):
    """A record of the events topic as aiokafka has it; `timestamp` is the broker's, in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Place(Struct, frozen=True):
    """Which partition of which topic, and of how many."""

    topic: str
    partition: int
    partitions: int


class Partition:
    """One partition from the commit on. `windows`, `hours`, `roster` and `skips` are changed by `step` only.

    What `skips` has counted must be saved, and durable, before a commit may pass it.
    """

    def __init__(self, place: Place, committed: int, durable: state.State, keys: Keys) -> None:
        """`durable` is all that lay in the links topic; raises `MissingLink` if a stream in force has none."""
        self.place = place
        self.windows = Windows()
        self.roster = Roster(place.partition, committed, durable, keys)
        self.skips = Skips(durable)
        self.hours = Hours(keys.signer, self.roster.streams()) if keys.signer is not None else None
        self._committed = committed
        self._durable = durable
        self._sealer = keys.sealer
        self._noted = {entry.offset: entry.note for entries in durable.notes.values() for entry in entries}
        self._homes: dict[str, int] = {}
        self._moved: dict[int, Moved] = {}
        self._moved_unsaved: dict[int, Moved] = {}
        for source, entries in durable.moved.items():
            newest = state.before(entries, committed)
            if newest is not None:
                self._moved[source] = newest

    def lacks(self, revision: Revision) -> bool:
        """Whether `revision` concerns this partition and is above the one in force."""
        if revision.workspace is not None and self._home(revision.workspace) != self.place.partition:
            return False
        return self.roster.is_above(revision)

    def droppable(self, committed: int) -> Iterator[str]:
        """Keys of the links topic that are not needed any more, given a commit read back from the broker."""
        return state.droppable(self._durable, committed)

    def founding(self) -> list[PutState]:
        """State that must be durable before a commit may pass the place at which the partition was taken over.

        Streams of a release without manifests have none to begin with. What stands for it is what is in force here:
        later nobody could tell what that was.
        """
        if self.hours is None:
            return []
        begun = [stream.manifest for stream in self.roster.streams() if stream.name not in self._durable.manifests]
        self._durable.manifests |= {manifest.stream: manifest for manifest in begun}
        return [PutState(state.manifest_key(each.stream, each.until), each, self._committed) for each in begun]

    def step(self, record: LogRecord) -> list[Effect] | None:
        """Take the next record; None stands for no effects. Raises nothing that a record's content can cause.

        But `AlienState` if the log is not the one that the state is of, and `TooNew` or `WrongSealingKey` if another
        worker has made of the record what this one cannot.
        """
        effects: list[Effect] | None = None
        if record.timestamp >= self.windows.earliest:
            effects = [*self.windows.close_due(record.timestamp)]
        if self.hours is not None and record.timestamp >= self.hours.earliest:
            effects = _both(effects, self._close_hours(record))
        value = record.value
        if not value:  # a tick
            return effects
        try:
            more = self._record(record, value) if value[:2] == MARKER else self._event(record, value)
        except Refused as refusal:
            more = [self._bury(record, refusal)]
        return _both(effects, more)

    def next_due(self) -> int:
        """When the next window or manifest is due, in ms of the broker's time; `NEVER` if none is."""
        window = self.windows.next_due()
        return window if self.hours is None else min(window, self.hours.earliest)

    def checkpoint(self) -> list[PutState]:
        """State that must be durable before a commit may pass the records stepped through so far."""
        unsaved, self._moved_unsaved = self._moved_unsaved, {}
        for entry in unsaved.values():
            state.insert(self._durable.moved.setdefault(entry.source, []), entry)
        return [
            PutState(state.moved_key(entry.source, entry.offset), entry, entry.offset) for entry in unsaved.values()
        ]

    # Events

    def _event(self, record: LogRecord, value: bytes) -> list[Effect] | None:
        headers = record.headers
        plain = moves.is_plain(headers)
        if plain and record.key not in self.roster.keys and not self._wanted(value):
            return None
        event, raw = minimal(value) if plain else None, value
        if event is None:
            event, raw = admit(value, headers)
        streams = self.roster.by_workspace.get(event.workspaceid)
        if streams is None or not plain:
            elsewhere = self._settle(record, event.workspaceid)
            if elsewhere is not None:
                return elsewhere
        effects = None if streams is None else self._collect(streams, record, event, raw)
        if event.organizationid is not UNSET:
            others = self.roster.by_organization.get(event.organizationid)
            if others is not None:
                effects = _both(effects, self._collect(others, record, event, raw))
        return effects

    def _avro_event(self, event: AuditEvent, record: LogRecord) -> list[Effect] | None:
        elsewhere = self._settle(record, event.workspace)
        if elsewhere is not None:
            return elsewhere
        streams = self.roster.by_workspace.get(event.workspace, ())
        if event.organization is not None:
            streams += self.roster.by_organization.get(event.organization, ())
        # All are written before one is collected: what is refused must leave no trace in any window or count.
        written = [(stream, *_written(event, stream.rule.revision)) for stream in streams]
        effects: list[Effect] | None = None
        for stream, found, raw in written:
            effects = _both(effects, self._collect((stream,), record, found, raw))
        return effects

    def _wanted(self, value: bytes) -> bool:
        """Whether the event must be looked at in full, told from its routing fields alone."""
        try:
            route = decode_route(value)
        except (ValueError, RecursionError):  # admission says what is wrong with it
            return True
        return (
            route.workspaceid in self.roster.by_workspace
            or route.organizationid in self.roster.by_organization
            or self._home(route.workspaceid) != self.place.partition
        )

    def _collect(
        self, streams: tuple[Stream, ...], record: LogRecord, event: CloudEvent, raw: bytes
    ) -> list[Effect] | None:
        """Put the event into the windows of `streams`, closing those that it fills or would overfill.

        For those that are disabled it is counted.
        """
        effects: list[Effect] = []
        offset = record.offset
        form = None
        for stream in streams:
            if stream.selects is not None and not stream.selects(event):
                continue
            if stream.redacts is not None:
                form = None
                rendered = stream.rendering.render(*stream.redacts(raw))
                size = len(rendered) + stream.rendering.event_bytes
            elif stream.rendering is not form:
                form = stream.rendering
                rendered = form.render(event, raw)
                size = len(rendered) + form.event_bytes
            if size > stream.room:
                if stream.idle:
                    self.skips.count(stream.rule.revision.destination, offset, record.timestamp, stream.idle)
                    continue
                # Even if a later batch is durable already: this letter need not be.
                too_large = EventTooLarge(size, stream.room)
                effects.append(self._bury(record, too_large, stream.rule.revision.destination))
                continue
            if offset <= stream.covered:
                continue
            if not stream.events:
                self.windows.open(stream, offset, record.timestamp)
            elif stream.size + size > stream.room:
                effects.append(self.windows.close(stream))
                self.windows.open(stream, offset, record.timestamp)
            stream.events.append(rendered)
            stream.size += size
            stream.last_offset = offset
            if len(stream.events) >= stream.most_events:
                effects.append(self.windows.close(stream))
        return effects or None

    # The pipeline's own records

    def _record(self, record: LogRecord, value: bytes) -> list[Effect] | None:
        found = decode(value, (AuditEvent, Control))
        if isinstance(found, Control):
            return self._control(found, record)
        return self._avro_event(cast("AuditEvent", found), record)

    def _control(self, control: Control, record: LogRecord) -> list[Effect] | None:
        entered = self.roster.entered(record.offset)
        if entered is not None and entered.timestamp != record.timestamp:
            raise AlienState(self.place.topic, self.place.partition, f"has another record at offset {record.offset}")
        said: Revision | Note | None = self._noted.get(record.offset) if entered is None else entered.revision
        if said is None:
            said = controls.content(control, self._sealer)
        if control.partition != self.place.partition:
            return None
        if isinstance(said, Note):
            return self._note(said, record)
        if not self.lacks(said):
            return None
        if entered is None:
            self.roster.check(said)
        return self._obey(said, record)

    def _obey(self, revision: Revision, record: LogRecord) -> list[Effect]:
        effects: list[Effect] = []
        stream = self.roster.stream(revision.destination)
        if stream is not None and stream.events:
            effects.append(self.windows.close(stream))
        if stream is not None and self.hours is not None and revision.state == "deleted":
            effects += self._told(self.hours.end(stream, record.timestamp, record.offset))
        entry, first = self.roster.obey(revision, record.offset, record.timestamp)
        effects.append(PutState(state.revision_key(revision.destination, record.offset), entry, record.offset))
        if first is not None:
            effects.append(PutState(state.link_key(first.stream, 0), first, record.offset))
        begun = self.roster.stream(revision.destination)
        if stream is None and begun is not None and self.hours is not None:
            self.hours.began(begun)
            manifest = begun.manifest
            if begun.name not in self._durable.manifests:
                self._durable.manifests[begun.name] = manifest
                effects.append(PutState(state.manifest_key(begun.name, manifest.until), manifest, record.offset))
        return effects

    def _note(self, note: Note, record: LogRecord) -> list[Effect] | None:
        """Keep what the next manifest of a stream is to say; one that has ended has no next one."""
        size = size_of(note)
        if size > MOST_NOTE:
            raise Undecodable(f"a note of {size} bytes is too long for a manifest, at most {MOST_NOTE} fit: shorten it")
        stream = self.roster.stream(destination_of(note.stream))
        if stream is None or stream.name != note.stream or record.offset < stream.manifest.offset:
            return None
        effects: list[Effect] = []
        if self.hours is not None:
            effects += self._told(self.hours.make_room(stream, size, record.timestamp, record.offset))
        entry = NoteEntered(offset=record.offset, note=note)
        stream.notes.append(entry)
        stream.notes_size += size
        state.insert(self._durable.notes.setdefault(note.stream, []), entry)
        effects.append(PutState(state.note_key(note.stream, record.offset), entry, record.offset))
        return effects

    def _close_hours(self, record: LogRecord) -> list[Effect]:
        if self.hours is None:
            return []
        return self._told(self.hours.close_due(self.roster.streams(), record.timestamp, record.offset))

    def _told(self, manifests: Sequence[PutManifest]) -> list[Effect]:
        for effect in manifests:
            self._durable.manifests[effect.link.stream] = effect.link
        return [*manifests]

    # Events in the wrong place, and what can be in none

    def _settle(self, record: LogRecord, workspace: str) -> list[Effect] | None:
        """None if the event is to be collected here; else what is done with it instead."""
        partition = self.place.partition
        origin = moves.origin(record.headers, self._sealer, partition, record.value or b"")
        home = self._home(workspace)
        if origin is None:
            return None if home == partition else [self._move(record, workspace, home)]
        held = self._moved.get(origin.partition)
        if held is not None and origin.offset <= held.source_offset:
            return []  # moved again, after a crash of the worker that moves
        if home != partition:
            raise Undecodable(f"moved here, and yet workspace {workspace!r} belongs to partition {home}: emit it again")
        moved = Moved(source=origin.partition, source_offset=origin.offset, offset=record.offset)
        self._moved[origin.partition] = self._moved_unsaved[origin.partition] = moved
        return None

    def _move(self, record: LogRecord, workspace: str, home: int) -> Move:
        value = record.value or b""
        size = sum(len(name) + len(content or b"") for name, content in record.headers)
        if size > MOST_HEADERS:
            raise EventTooLarge(size + len(value), MOST_HEADERS + MAX_EVENT_BYTES)
        origin = moves.Origin(self.place.partition, record.offset)
        headers = [*record.headers, *moves.headers(origin, self._sealer, home, value)]
        return Move(home, workspace.encode(), value, headers, record.offset)

    def _home(self, workspace: str) -> int:
        home = self._homes.get(workspace)
        if home is None:
            if len(self._homes) >= HOMES_REMEMBERED:
                self._homes.clear()
            home = self._homes[workspace] = partition_of(workspace, self.place.partitions)
        return home

    def _bury(self, record: LogRecord, refusal: Refused, destination: str | None = None) -> Bury:
        value, headers = record.value, [RecordHeader(name, value or b"") for name, value in record.headers]
        detail = str(refusal)
        size = len(record.key or b"") + len(value or b"") + sum(len(each.name) + len(each.value) for each in headers)
        if size > MOST_BURIED:
            # The broker counts a compressed batch, so a record of any size may lie in the log.
            value, headers = (value or b"")[:BEGINNING], []
            detail += f" (only its beginning is kept here, its {size} bytes are in the log at this offset)"
        letter = DeadLetter(
            topic=self.place.topic,
            partition=self.place.partition,
            offset=record.offset,
            at=record.timestamp,
            reason=refusal.reason,
            detail=detail,
            key=(record.key or b"")[:BEGINNING] if record.key is not None else None,
            value=value,
            headers=headers,
            destination=destination,
        )
        key = f"{self.place.topic}/{self.place.partition}@{record.offset}"
        return Bury(f"{key}/{destination}" if destination else key, letter, record.offset)


def _written(event: AuditEvent, revision: Revision) -> tuple[CloudEvent, bytes]:
    written = to_cloudevent(event, revision.base_url, revision.type_prefix)
    raw = encode(written)
    if len(raw) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(raw), MAX_EVENT_BYTES)
    return written, raw


def _both(first: list[Effect] | None, second: list[Effect] | None) -> list[Effect] | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
