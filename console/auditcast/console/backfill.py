"""Batches of what lies in the log from before its destination collected it: the processor's own core, over one period.

They stand in a stream of their own, whose chain begins at its first batch. No clock, no I/O: the same period of the
log gives the same batches, byte for byte, and so does going on from any batch of it.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from auditcast.processors import moves
from auditcast.processors.effects import Bury, Effect, PutBatch, PutManifest
from auditcast.processors.hours import Hours
from auditcast.processors.keys import Keys
from auditcast.processors.partition import Partition, Place
from auditcast.processors.state import State
from auditcast.schemas.chain import GENESIS, stream_name
from auditcast.schemas.records import Backfill, Batch, Control, Link, Moved, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.signing_keys import Signer
from auditcast.schemas.wire import HEADER_BYTES, decode_as, encode

_CONTROL = encode(Control(partition=0, content=b"", mac=b""))[:HEADER_BYTES]


class Row(Struct, frozen=True, gc=False):
    """A record of the events topic as the core takes it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def planned(revision: Revision, partition: int, first: int, end: int, now: int) -> Backfill:
    """A backfill of `first` to before `end`, begun at `now` ms.

    The name of its stream follows from what it covers, so that whoever begins the same one again makes the same.
    """
    name = f"{revision.epoch}\nbackfill\n{partition}\n{first}\n{end}"
    epoch = hashlib.sha256(name.encode()).hexdigest()[:16]
    return Backfill(
        stream=stream_name(revision.destination, partition, epoch),
        first=first,
        end=end,
        at=now,
        finished=False,
        sequence=0,
        last_event=0,
        last_offset=first - 1,
        digest=GENESIS,
        revision=encode(revision),
    )


def is_control(value: bytes | None) -> bool:
    """Whether a record claims to be the pipeline's own."""
    return value is not None and value[:HEADER_BYTES] == _CONTROL


class Moves:
    """The newest event that a partition took over from each other one; what is moved once more is known by it."""

    def __init__(self, partition: int, sealer: Sealer) -> None:
        self.newest: dict[int, Moved] = {}
        self._partition = partition
        self._sealer = sealer

    def take(self, record: Row) -> None:
        """The next record of the partition."""
        origin = moves.origin(record.headers, self._sealer, self._partition, record.value or b"")
        if origin is None:
            return
        held = self.newest.get(origin.partition)
        if held is None or origin.offset > held.source_offset:
            moved = Moved(source=origin.partition, source_offset=origin.offset, offset=record.offset)
            self.newest[origin.partition] = moved


class Refill:
    """One backfill under way; `refused` counts by reason what can be in no batch.

    It steps from `begin` on; `moved` has what was moved here before.
    """

    def __init__(self, plan: Backfill, place: Place, moved: Mapping[int, Moved], sealer: Sealer) -> None:
        """`plan` may have got as far as some batch."""
        self.begin = plan.last_offset + 1
        revision = decode_as(Revision, plan.revision)
        self.refused: Counter[str] = Counter()
        self._destination = revision.destination
        # To the core it is a partition that was taken over with this one stream in force.
        rule = RevisionInForce(offset=plan.first - 1, timestamp=0, stream=plan.stream, revision=revision)
        link = Link(
            stream=plan.stream,
            sequence=plan.sequence,
            last_event=plan.last_event,
            last_offset=plan.last_offset,
            digest=plan.digest,
        )
        durable = State(
            links={plan.stream: link},
            revisions={revision.destination: [rule]},
            moved={source: [newest] for source, newest in moved.items()},
        )
        self._core = Partition(place, self.begin, durable, Keys(sealer, signer=None))

    def take(self, record: Row) -> list[Batch]:
        """Step to the next record of the period; the batches that it closes."""
        if is_control(record.value):
            # Whatever it says, this stream has one rule; as every record, it tells the time.
            record = replace(record, value=b"")
        return self._batches(self._core.step(record) or ())

    def finish(self) -> list[Batch]:
        """The last batch, if a window is open: the period has ended."""
        stream = self._core.roster.stream(self._destination)
        if stream is None or not stream.events:
            return []
        return self._batches([self._core.windows.close(stream)])

    def ended(self, plan: Backfill, signer: Signer) -> PutManifest:
        """The one manifest of the stream, once it has finished: until the time at which the backfill was asked for."""
        stream = self._core.roster.stream(self._destination)
        if stream is None:
            raise ValueError("a backfill has a stream as long as it is taken on")
        (effect,) = Hours(signer, ()).end(stream, plan.at, plan.end)
        return effect

    def _batches(self, effects: Sequence[Effect]) -> list[Batch]:
        """The batches among `effects`; events that belong elsewhere were moved there by who owned the partition."""
        made = []
        for effect in effects:
            match effect:
                case PutBatch(batch=batch):
                    made.append(batch)
                case Bury(letter=letter) if letter.destination in (None, self._destination):
                    self.refused[letter.reason] += 1
        return made


def reached(plan: Backfill, batch: Batch) -> Backfill:
    """`plan`, appended up to `batch`."""
    return replace(
        plan,
        sequence=batch.sequence,
        last_event=batch.last_event,
        last_offset=batch.last_offset,
        digest=batch.digest,
    )


def finished(plan: Backfill) -> Backfill:
    """`plan`, all of it appended."""
    return replace(plan, finished=True)
