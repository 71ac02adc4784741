"""Which streams a partition has, under which revision, and whose events concern them."""

from collections.abc import Iterable

from auditcast.processors import state
from auditcast.processors.errors import MissingLink, TooNew
from auditcast.processors.keys import Keys
from auditcast.processors.stream import Reached, Stream
from auditcast.schemas.chain import GENESIS, stream_epoch, stream_name
from auditcast.schemas.errors import InvalidDestination, Undecodable, WrongSealingKey
from auditcast.schemas.formats import FORMATS, rendering
from auditcast.schemas.manifests import FIRST
from auditcast.schemas.records import Link, ManifestLink, Revision, RevisionInForce
from auditcast.schemas.redactions import unknown_fields


class Roster:
    """The streams of one partition; changed by revisions only, each from its own offset on."""

    def __init__(self, partition: int, committed: int, durable: state.State, keys: Keys) -> None:
        """As it was at the offset `committed`; raises `MissingLink`."""
        self._partition = partition
        self._committed = committed
        self._keys = keys
        self._durable = durable
        self._in_force: dict[str, RevisionInForce] = {}
        self._streams: dict[str, Stream] = {}
        self.by_workspace: dict[str, tuple[Stream, ...]] = {}
        self.by_organization: dict[str, tuple[Stream, ...]] = {}
        self.keys: set[bytes] = set()
        """Record keys whose events surely concern a stream."""
        self._entered = {entry.offset: entry for entries in durable.revisions.values() for entry in entries}
        for name, entries in durable.revisions.items():
            entry = state.before(entries, committed)
            if entry is not None:
                self._restore(name, entry)

    def stream(self, destination: str) -> Stream | None:
        """The stream of a destination, if it has one here."""
        return self._streams.get(destination)

    def streams(self) -> Iterable[Stream]:
        """All of them."""
        return self._streams.values()

    def is_above(self, revision: Revision) -> bool:
        """Whether `revision` is newer than the one in force; nothing is newer than a deletion."""
        held = self._in_force.get(revision.destination)
        if held is None:
            return True
        return held.revision.state != "deleted" and revision.order > held.revision.order

    def check(self, revision: Revision) -> None:
        """Raise `Undecodable` if a revision that is above the one in force cannot be obeyed."""
        name = revision.destination
        problem = _unknown(revision)
        if problem:
            raise Undecodable(f"destination {name} {problem}: upgrade auditcast first")
        try:
            self._keys.salt(revision)
        except WrongSealingKey as error:
            raise Undecodable(f"destination {name} cannot be obeyed, {error}") from None
        held = self._in_force.get(name)
        if held is not None and _lasting(held.revision) != _lasting(revision):
            raise Undecodable(f"destination {name} has changed its scope or epoch: add a new destination instead")

    def entered(self, offset: int) -> RevisionInForce | None:
        """What an owner of the partition has already made of the control record at `offset`, which is final.

        It was judged with the keys and from the beginning of the log that there were then, and both may be gone.
        """
        return self._entered.get(offset)

    def obey(self, revision: Revision, offset: int, timestamp: int) -> tuple[RevisionInForce, Link | None]:
        """Put `revision` in force from `offset` on; the destination's window must be closed.

        What is returned must be durable: the entry, and link 0 if this begins a stream; so must its first `manifest`.
        Raises `TooNew` and `WrongSealingKey` for what was in force here before.
        """
        name = revision.destination
        entry = self.entered(offset) or self._enter(revision, offset, timestamp)
        _must_know(entry)
        state.insert(self._durable.revisions.setdefault(name, []), entry)
        self._in_force[name] = entry
        stream = self._streams.get(name)
        first = None
        if stream is None and revision.state != "deleted":
            stream, first = self._create(entry)
        if stream is not None:
            stream.obey(entry, self._keys)
            self._index(stream)
        return entry, first

    def _enter(self, revision: Revision, offset: int, timestamp: int) -> RevisionInForce:
        """The revision as it takes effect here, with the gap in collecting that it opens, keeps or ends."""
        held = self._in_force.get(revision.destination)
        stream = self._streams.get(revision.destination)
        name = held.stream if held is not None else self._name(revision, offset, timestamp)
        gap_from = gap_to = gap_offset = None
        if held is not None and held.gap_from is not None:
            told = held.gap_offset is not None and stream is not None and stream.covered > held.gap_offset
            if not told:
                gap_from, gap_to, gap_offset = held.gap_from, held.gap_to, held.gap_offset
        if not revision.collecting:
            gap_from = timestamp if gap_from is None else gap_from
            gap_to = gap_offset = None
        elif gap_from is not None and gap_to is None:
            gap_to, gap_offset = max(timestamp, gap_from), offset
        return RevisionInForce(
            offset=offset,
            timestamp=timestamp,
            stream=name,
            revision=revision,
            gap_from=gap_from,
            gap_to=gap_to,
            gap_offset=gap_offset,
        )

    def _create(self, entry: RevisionInForce) -> tuple[Stream, Link | None]:
        """The stream that `entry` begins, and its link 0 unless a link is durable already."""
        first = None
        link = self._durable.links.get(entry.stream)
        if link is None:
            link = first = Link(stream=entry.stream, sequence=0, last_event=0, last_offset=entry.offset, digest=GENESIS)
        return self._begin(entry, link), first

    def _begin(self, entry: RevisionInForce, link: Link) -> Stream:
        """The stream of `entry`, as far as its links and manifests have come."""
        held = self._durable.manifests.get(entry.stream)
        # A stream of a release without manifests has none: its first one tells of all that came before.
        manifest = held or ManifestLink(
            stream=entry.stream,
            until=entry.timestamp,
            offset=entry.offset,
            sequence=0,
            last_event=0,
            digest=GENESIS,
            manifest=FIRST,
        )
        notes = [
            note
            for note in self._durable.notes.get(entry.stream, ())
            if manifest.offset <= note.offset < self._committed
        ]
        stream = Stream(self._partition, entry, Reached(link, manifest, notes), self._keys)
        self._streams[entry.revision.destination] = stream
        return stream

    def _name(self, revision: Revision, offset: int, timestamp: int) -> str:
        epoch = stream_epoch(revision.epoch, offset, timestamp)
        return stream_name(revision.destination, self._partition, epoch)

    def _restore(self, name: str, entry: RevisionInForce) -> None:
        self._in_force[name] = entry
        if entry.revision.state == "deleted":
            return
        _must_know(entry)
        link = self._durable.links.get(entry.stream)
        if link is None:
            raise MissingLink(entry.stream)
        self._index(self._begin(entry, link))

    def _index(self, stream: Stream) -> None:
        """Note whose events `stream` collects or counts; those of one format stand together and share renderings."""
        revision = stream.rule.revision
        if revision.state == "deleted":
            self._streams.pop(revision.destination, None)
        scope = revision.workspace or revision.organization or ""
        index = self.by_workspace if revision.workspace else self.by_organization
        streams = [other for other in index.get(scope, ()) if other is not stream]
        if revision.state != "deleted":
            streams.append(stream)
        if streams:
            index[scope] = tuple(sorted(streams, key=_sharing))
        else:
            index.pop(scope, None)
        if revision.workspace:
            (self.keys.add if streams else self.keys.discard)(revision.workspace.encode())


def _unknown(revision: Revision) -> str:
    """What in `revision` this release does not know; empty if it can obey all of it."""
    if revision.format not in FORMATS:
        return f"wants format {revision.format!r}"
    try:
        rendering(revision.format, revision.options)
    except InvalidDestination as error:
        return f"cannot be obeyed, {error}"
    fields = unknown_fields(revision)
    return f"redacts {', '.join(fields)}, of which nothing is known here" if fields else ""


def _must_know(entry: RevisionInForce) -> None:
    problem = _unknown(entry.revision)
    if problem:
        raise TooNew(entry.revision.destination, problem)


def _sharing(stream: Stream) -> tuple[str, str, str]:
    """Sorted by it, streams that can share renderings stand together."""
    revision = stream.rule.revision
    options = "\n".join(f"{option.name}={option.value}" for option in revision.options)
    return revision.format, options, stream.name


def _lasting(revision: Revision) -> tuple[str | None, str | None, str]:
    """What no later revision of a destination may change: its streams are named and placed by it."""
    return (revision.workspace, revision.organization, revision.epoch)
