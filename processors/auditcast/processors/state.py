"""A partition's state as it survives in `audit.links`: only keys that grow, so that no late writer can turn it back.

`stream:sequence` holds a link, `destination@offset` a revision in force, `moved/source@offset` the newest event taken
over from another partition, `skipped/destination@offset` how many events were not collected, `manifest/stream:until`
the newest manifest, `note/stream@offset` what the next one is to say. Links: the highest sequence counts; manifests:
the latest. The others are lists over the log: what counts at an offset is the newest entry before it (of
`skipped`, the newest of all), so an entry may go once the commit has passed its successor.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from msgspec import Struct, field

from auditcast.schemas.chain import GENESIS
from auditcast.schemas.records import Link, ManifestLink, Moved, NoteEntered, RevisionInForce, Skipped
from auditcast.schemas.wire import decode


class _Placed(Protocol):
    @property
    def offset(self) -> int: ...


P = TypeVar("P", bound=_Placed)


class State(Struct):
    """What was durable when a partition was taken over."""

    links: dict[str, Link] = field(default_factory=dict)
    """The newest link of each stream."""

    revisions: dict[str, list[RevisionInForce]] = field(default_factory=dict)
    """Per destination, by offset."""

    moved: dict[int, list[Moved]] = field(default_factory=dict)
    """Per source partition, by offset."""

    skipped: dict[str, list[Skipped]] = field(default_factory=dict)
    """Per destination, by offset."""

    manifests: dict[str, ManifestLink] = field(default_factory=dict)
    """The newest manifest of each stream."""

    notes: dict[str, list[NoteEntered]] = field(default_factory=dict)
    """Per stream, by offset."""

    garbage: list[str] = field(default_factory=list)
    """Keys that can be dropped at once: links, of batches and manifests, that a late writer put back."""


def reach(state: State) -> int:
    """The highest offset of the events topic that the state speaks of; -1 if it speaks of none."""
    revisions = (entries[-1].offset for entries in state.revisions.values())
    moved = (entries[-1].offset for entries in state.moved.values())
    skipped = (entries[-1].offset for entries in state.skipped.values())
    notes = (entries[-1].offset for entries in state.notes.values())
    links = (link.last_offset for link in state.links.values())
    manifests = (manifest.offset for manifest in state.manifests.values())
    return max((*revisions, *moved, *skipped, *notes, *links, *manifests), default=-1)


def link_key(stream: str, sequence: int) -> str:
    """The key of a stream's link."""
    return f"{stream}:{sequence}"


def revision_key(destination: str, offset: int) -> str:
    """The key of a revision that took effect at `offset`."""
    return f"{destination}@{offset}"


def moved_key(source: int, offset: int) -> str:
    """The key of the newest event that was taken over from `source` by `offset`."""
    return f"moved/{source}@{offset}"


def skipped_key(destination: str, offset: int) -> str:
    """The key of the count, through `offset`, of a destination's events that were not collected."""
    return f"skipped/{destination}@{offset}"


def manifest_key(stream: str, until: int) -> str:
    """The key of a stream's manifest."""
    return f"manifest/{stream}:{until}"


def note_key(stream: str, offset: int) -> str:
    """The key of a note that lies at `offset`."""
    return f"note/{stream}@{offset}"


def root(topic: str, partition: int) -> Link:
    """What every founded partition has among its links: the sign that its state is there."""
    return Link(stream=f"{topic}/{partition}", sequence=0, last_event=0, last_offset=-1, digest=GENESIS)


def load(records: Mapping[bytes, bytes]) -> State:
    """The state in the records of one partition of `audit.links`; raises `Undecodable`."""
    state = State()
    revisions: defaultdict[str, list[RevisionInForce]] = defaultdict(list)
    moved: defaultdict[int, list[Moved]] = defaultdict(list)
    skipped: defaultdict[str, list[Skipped]] = defaultdict(list)
    notes: defaultdict[str, list[NoteEntered]] = defaultdict(list)
    for raw in records.values():
        match decode(raw):
            case Link() as link:
                _keep_newer(state, link)
            case RevisionInForce() as revision:
                revisions[revision.revision.destination].append(revision)
            case Moved() as entry:
                moved[entry.source].append(entry)
            case Skipped() as count:
                skipped[count.destination].append(count)
            case ManifestLink() as manifest:
                _keep_later(state, manifest)
            case NoteEntered() as note:
                notes[note.note.stream].append(note)
    state.revisions = {name: _in_order(entries) for name, entries in revisions.items()}
    state.moved = {source: _in_order(entries) for source, entries in moved.items()}
    state.skipped = {name: _in_order(entries) for name, entries in skipped.items()}
    state.notes = {stream: _in_order(entries) for stream, entries in notes.items()}
    return state


def _in_order(entries: Iterable[P]) -> list[P]:
    return sorted(entries, key=lambda entry: entry.offset)


def _keep_newer(state: State, link: Link) -> None:
    held = state.links.get(link.stream)
    newer, older = (link, held) if held is None or link.sequence > held.sequence else (held, link)
    state.links[link.stream] = newer
    if older is not None:
        state.garbage.append(link_key(older.stream, older.sequence))


def _keep_later(state: State, manifest: ManifestLink) -> None:
    held = state.manifests.get(manifest.stream)
    later, older = (manifest, held) if held is None or manifest.until > held.until else (held, manifest)
    state.manifests[manifest.stream] = later
    if older is not None:
        state.garbage.append(manifest_key(older.stream, older.until))


def before(entries: Iterable[P], offset: int) -> P | None:
    """The newest of `entries` (sorted by offset) before `offset`."""
    newest = None
    for entry in entries:
        if entry.offset >= offset:
            break
        newest = entry
    return newest


def insert(entries: list[P], entry: P) -> None:
    """Put `entry` in its place, unless what is there says the same: after a crash the log is stepped through again."""
    place = bisect_left(entries, entry.offset, key=lambda other: other.offset)
    if place == len(entries) or entries[place].offset != entry.offset:
        entries.insert(place, entry)


def droppable(state: State, committed: int) -> Iterator[str]:
    """Keys that no commit from `committed` on can need again; they are taken out of `state`, too."""
    for name, revisions in state.revisions.items():
        newest = before(revisions, committed)
        while newest is not None and revisions[0].offset < newest.offset:
            yield revision_key(name, revisions.pop(0).offset)
        if newest is not None and newest.revision.state == "deleted":
            link = state.links.pop(newest.stream, None)
            if link is not None:
                yield link_key(link.stream, link.sequence)
            manifest = state.manifests.pop(newest.stream, None)
            if manifest is not None:
                yield manifest_key(manifest.stream, manifest.until)
            yield from (note_key(newest.stream, note.offset) for note in state.notes.pop(newest.stream, ()))
    for source, entries in state.moved.items():
        last = before(entries, committed)
        while last is not None and entries[0].offset < last.offset:
            yield moved_key(source, entries.pop(0).offset)
    for name, counts in state.skipped.items():
        saved = before(counts, committed)
        while saved is not None and counts[0].offset < saved.offset:
            yield skipped_key(name, counts.pop(0).offset)
    for stream, notes in state.notes.items():
        told = state.manifests.get(stream)
        # A commit that has passed a manifest proves it durable, with the notes before it.
        while told is not None and told.offset < committed and notes and notes[0].offset < told.offset:
            yield note_key(stream, notes.pop(0).offset)
