"""What each destination must get, computed from the events topic alone; no part of the processor is used.

Every record of the topic is taken, partition by partition, in order, as `read_committed` gives it. No clock, no I/O.
"""

import hashlib
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import compress

from msgspec import Struct, field

from auditcast.console.demo.chains import mark
from auditcast.console.demo.claims import Claim, claim_of, revision_in, source_of
from auditcast.kafka.partitioner import partition_of
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer


class Expected(Struct):
    """The events of one stream in order: where they lie, and the marks of their ids and bytes (0: bytes may differ)."""

    destination: str
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    ids: "array[int]" = field(default_factory=lambda: array("Q"))
    contents: "array[int]" = field(default_factory=lambda: array("Q"))


class Difference(Struct, frozen=True):
    """How what a stream holds differs from what it must hold, in events."""

    missing: int = 0
    unexpected: int = 0
    altered: int = 0
    disordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.altered or self.disordered)


class _Side:
    """One partition: what is in force there, and what follows for each workspace and organization."""

    def __init__(self) -> None:
        self.in_force: dict[str, Revision] = {}
        self.names: dict[str, str] = {}
        self.moved: dict[int, int] = {}
        self.special = array("q")
        self.by_workspace: dict[str, list[Expected]] = {}
        self.by_organization: dict[str, list[Expected]] = {}


class Expectation:
    """Grows with the log. `streams` has what is expected, by stream; `seen` counts the kinds of records."""

    def __init__(self, partitions: int, sealer: Sealer) -> None:
        self.streams: dict[str, Expected] = {}
        self.seen: Counter[str] = Counter()
        self._sides = [_Side() for _ in range(partitions)]
        self._sealer = sealer

    @property
    def deliveries(self) -> int:
        """Events expected, counted once for each destination that must get them."""
        return sum(len(stream.ids) for stream in self.streams.values())

    def in_force(self, destination: str, number: int) -> int:
        """In how many partitions revision `number` of a destination, or a later one, has come into force."""
        held = (side.in_force.get(destination) for side in self._sides)
        return sum(revision is not None and revision.number >= number for revision in held)

    def take(
        self, partition: int, offset: int, timestamp: int, value: bytes | None, headers: Sequence[tuple[str, bytes]]
    ) -> None:
        """The next record of a partition, stamped `timestamp` ms by the broker."""
        if not value:
            self.seen["ticks"] += 1
            return
        side = self._sides[partition]
        revision = revision_in(value, partition, self._sealer)
        if revision is not None:
            side.special.append(offset)
            name = f"{revision.destination}-{partition}-{_epoch(revision, offset, timestamp)}"
            self._obey(side, side.names.setdefault(revision.destination, name), revision)
            return
        claim = claim_of(value, headers)
        if claim is None:
            self.seen["garbage"] += 1
        elif (source := source_of(value, headers, partition, self._sealer)) is not None:
            side.special.append(offset)
            newest = side.moved.get(source[0], -1)
            side.moved[source[0]] = max(newest, source[1])
            self.seen["moved" if source[1] > newest else "moved again"] += 1
            if source[1] > newest:
                _expect(side, offset, claim)
        elif partition_of(claim.workspace, len(self._sides)) == partition:
            self.seen["events"] += 1
            _expect(side, offset, claim)
        else:
            self.seen["misplaced"] += 1

    def expected_in(self, partition: int) -> int:
        """Events of one partition that are expected anywhere, counted once for each destination."""
        return sum(len(self.streams[name].ids) for name in self._sides[partition].names.values())

    def first_special(self, partition: int, start: int) -> int | None:
        """The first control record or moved event from offset `start` on, which more than its own place depends on."""
        special = self._sides[partition].special
        index = bisect_left(special, start)
        return special[index] if index < len(special) else None

    def expire(self, partition: int, before: int, covered: Mapping[str, int]) -> int:
        """Strike out what expired unread: below offset `before`, and above the last offset `covered` by a batch.

        Gives the number of events struck out, counted once for each destination that they were for.
        """
        struck = 0
        for stream in self._sides[partition].names.values():
            expected, last = self.streams[stream], covered.get(stream, -1)
            keep = [not last < offset < before for offset in expected.offsets]
            struck += keep.count(False)
            expected.offsets = array("q", compress(expected.offsets, keep))
            expected.ids = array("Q", compress(expected.ids, keep))
            expected.contents = array("Q", compress(expected.contents, keep))
        return struck

    def _obey(self, side: _Side, name: str, revision: Revision) -> None:
        held = side.in_force.get(revision.destination)
        if held is not None and revision.order <= held.order:
            self.seen["controls repeated"] += 1
            return
        self.seen["controls"] += 1
        side.in_force[revision.destination] = revision
        self.streams.setdefault(name, Expected(revision.destination))
        side.by_workspace, side.by_organization = {}, {}
        for other in side.in_force.values():
            if other.collecting:
                stream = self.streams[side.names[other.destination]]
                if other.workspace is not None:
                    side.by_workspace.setdefault(other.workspace, []).append(stream)
                else:
                    side.by_organization.setdefault(other.organization or "", []).append(stream)


def _epoch(revision: Revision, offset: int, timestamp: int) -> str:
    """What makes a stream's name unlike any other's, from the record that begins it."""
    return hashlib.sha256(f"{revision.epoch}\n{offset}\n{timestamp}".encode()).hexdigest()[:16]


def difference(expected: Expected, ids: "array[int]", contents: "array[int]") -> Difference:
    """What is wrong with a stream that holds the events `ids` and `contents`, in order."""
    if ids == expected.ids:
        altered = sum(had not in (0, has) for had, has in zip(expected.contents, contents, strict=True))
        return Difference(altered=altered)
    must, has = Counter(expected.ids), Counter(ids)
    missing, unexpected = (must - has).total(), (has - must).total()
    contents_by_id = dict(zip(ids, contents, strict=True))
    altered = sum(
        had not in (0, contents_by_id.get(one, had)) for one, had in zip(expected.ids, expected.contents, strict=True)
    )
    return Difference(missing, unexpected, altered, disordered=not missing and not unexpected)


def _expect(side: _Side, offset: int, claim: Claim) -> None:
    streams = side.by_workspace.get(claim.workspace, [])
    if claim.organization is not None:
        streams = streams + side.by_organization.get(claim.organization, [])
    if not streams:
        return
    id_, content = mark(claim.id.encode()), mark(claim.content) if claim.content else 0
    for stream in streams:
        stream.offsets.append(offset)
        stream.ids.append(id_)
        stream.contents.append(content)
