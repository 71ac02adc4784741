"""A deliverer's dispatcher on a broker, a reader and receivers of this file's own."""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from auditcast.deliverers.dispatcher import Dispatcher, Past
from auditcast.deliverers.fate import Append, Policy
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Outcome, Piece, Verdict
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.parked import Found
from auditcast.deliverers.unpacking import unpacked
from auditcast.kafka.names import Topics
from auditcast.schemas.records import Attempt, Note
from auditcast.schemas.wire import encode
from tests.unit.deliverers.parcels import batch

TOPICS = Topics()
POLICY = Policy(TOPICS, (1, 1, 1, 1, 1), 10**9)
PROBE_S = 0.002
STAMPED = 10**15
"""When a record at offset 0 was written, in ms: after everything that tests do."""


class Record:
    """What a confluent-kafka `Message` tells of a record."""

    def __init__(self, offset: int, append: Append) -> None:
        self._offset = offset
        self._append = append

    def offset(self) -> int:
        return self._offset

    def partition(self) -> int:
        return 0

    def key(self) -> bytes:
        return self._append.key

    def value(self) -> bytes | None:
        return self._append.value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._append.headers

    def timestamp(self) -> tuple[int, int]:
        return (1, STAMPED + self._offset)


class Broker:
    """One partition of every topic; what is appended is durable at once, and acknowledged in order, some time later."""

    def __init__(self, rng: random.Random | None = None) -> None:
        self.logs: dict[str, list[Append]] = defaultdict(list)
        self._rng = rng or random.Random(0)
        self._newest: asyncio.Task[None] | None = None

    def post(self, record: Append) -> None:
        self.logs[record.topic].append(record)

    async def append(self, record: Append) -> int:
        offset = len(self.logs[record.topic])
        self.logs[record.topic].append(record)
        self._newest = asyncio.ensure_future(self._delay(self._newest))
        await asyncio.shield(self._newest)
        return offset

    async def _delay(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait([before])
        for _ in range(self._rng.randrange(3)):
            await asyncio.sleep(0)

    def status(self) -> dict[bytes, bytes]:
        """The status topic as it is when compacted."""
        values: dict[bytes, bytes] = {}
        for record in self.logs[TOPICS.status]:
            if record.value is None:
                values.pop(record.key, None)
            else:
                values[record.key] = record.value
        return values

    def markers(self) -> list[bytes]:
        return [key for key in self.status() if key.startswith((b"parked/", b"released/"))]


class FakeParkedReader:
    """As ParkedReader, on `broker`."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._at: dict[int, int] = {}
        self._told_end = False

    async def read(self, wanted: Mapping[int, int], wait_s: float) -> Found:
        await asyncio.sleep(0)
        if self._at != wanted:
            self._at, self._told_end = dict(wanted), False
        log = self._broker.logs[TOPICS.parked]
        start = self._at[0]
        records = [Record(offset, log[offset]) for offset in range(start, min(start + 3, len(log)))]
        self._at[0] += len(records)
        at_end = self._at[0] >= len(log) and not self._told_end
        if records:
            self._told_end = False
        if at_end:
            self._told_end = True
        return Found(records, {0: self._at[0]} if at_end else {})  # type: ignore[arg-type]  # they are like messages

    async def close(self) -> None:
        pass


class Receivers:
    """What they took, in order; those in `down` take nothing, those in `poisoned` never take these batches.

    For those in `overrun` everything comes too fast; to those in `cut_off` nothing can be sent, for a reason of our
    own. `asked` counts all that came here.
    """

    def __init__(self, rng: random.Random) -> None:
        self.taken: list[str] = []
        self.down: set[str] = set()
        self.poisoned: set[str] = set()
        self.cut_off: set[str] = set()
        self.overrun: set[str] = set()
        self.asked = 0
        self._rng = rng

    async def deliver(self, parcel: Parcel) -> list[Piece]:
        self.asked += 1
        for _ in range(self._rng.randrange(4)):
            await asyncio.sleep(0)
        if parcel.batch is None:
            return [Piece(0, 0, Outcome(reason="unreadable", verdict=Verdict.DEAD))]
        if parcel.batch.destination in self.cut_off:
            return [Piece(0, 0, Outcome(reason="proxy-unreachable", verdict=Verdict.RETRY))]
        status = 429 if parcel.batch.destination in self.overrun else 500
        attempt = Attempt(at=int(time.time() * 1000), latency_ms=1, status=status)
        if parcel.batch.destination in self.down | self.overrun or parcel.batch.id in self.poisoned:
            return [Piece(0, 0, Outcome(reason=f"status-{status}", verdict=Verdict.RETRY, attempt=attempt))]
        self.taken.append(parcel.batch.id)
        return [Piece(0, 0, Outcome(reason=None, verdict=Verdict.DELIVERED, attempt=attempt))]


class World:
    """A broker that outlives its deliverers, of which one is the owner, and stopped ones may still act."""

    def __init__(self, seed: int, budget: int) -> None:
        rng = random.Random(seed)
        self.broker = Broker(rng)
        self.receivers = Receivers(rng)
        self.paused: set[str] = set()
        self.errors: list[BaseException] = []
        self.sent: list[str] = []
        self._budget = budget
        self._committed: dict[str, int] = defaultdict(int)
        self._read: dict[str, int] = {}
        self._numbers: dict[str, int] = defaultdict(int)
        self._claims: dict[str, Claim] = {}
        self._begin()

    def batches(self, destination: str, count: int) -> None:
        """So many more batches of a destination."""
        for _ in range(count):
            self._numbers[destination] += 1
            made = batch(destination, self._numbers[destination])
            self.sent.append(made.id)
            self.broker.post(Append(TOPICS.batches, destination.encode(), encode(made)))

    def change(self, destination: str, *, paused: bool) -> None:
        """Pause or resume a destination."""
        (self.paused.add if paused else self.paused.discard)(destination)
        self.dispatcher.changed(destination)

    def garbage(self, destination: str) -> None:
        """Something that cannot be read lies among what is parked for a destination."""
        self.broker.post(Append(TOPICS.parked, destination.encode(), b"garbage"))

    async def work(self, turns: int) -> None:
        """Let everything go on for a while."""
        for _ in range(turns):
            self._feed()
            await asyncio.sleep(0)

    async def hand_over(self) -> None:
        """The owner gives up in good order; another takes over."""
        self._commit(await self.dispatcher.release(list(self._claims.values()), 5))
        await self.dispatcher.stop()
        self._begin()

    async def stall(self) -> None:
        """The owner stops, another takes over, and only then does the first wake up and go on with what it was at."""
        stalled, claims = self.dispatcher, list(self._claims.values())
        self._commit(stalled.settled())
        for claim in claims:
            claim.live = False  # its reader knows, but whatever is under way was under way before
        self._begin()
        await self.work(20)
        await stalled.release(claims, 0)
        await stalled.stop()

    async def finish(self) -> bool:
        """Heal everything, and go on until nothing is left to do; whether that came about."""
        self.receivers.down.clear()
        self.receivers.cut_off.clear()
        for destination in list(self.paused):
            self.change(destination, paused=False)
        for turn in range(4000):
            await self.work(5)
            if self._idle():
                return True
            await asyncio.sleep(0.001)
            if turn % 200 == 199:
                # A marker that a stopped owner wrote late is found, and removed, by the next one that begins.
                await self.hand_over()
        return False

    def _idle(self) -> bool:
        ends = {topic: len(self.broker.logs[topic]) for topic in self._claims}
        return all(self._committed[topic] == end for topic, end in ends.items()) and not self.broker.markers()

    def _begin(self) -> None:
        self.dispatcher = Dispatcher(
            Lanes(self._budget),
            POLICY,
            FakeParkedReader(self.broker),  # type: ignore[arg-type]  # it is like one
            probe_s=PROBE_S,
            deliver=self.receivers.deliver,
            append=self.broker.append,
            post=self.broker.post,
            report=self.broker.post,
            halted=self.paused.__contains__,
            past=self._past,
            metrics=Metrics(),
            note=self._note,
            failed=self.errors.append,
        )
        self.dispatcher.start()
        self._claims = {
            topic: Claim(topic, 0, Source.BATCHES if topic == TOPICS.batches else Source.RETRY)
            for topic in (TOPICS.batches, *TOPICS.retries)
        }
        self._read = {topic: self._committed[topic] for topic in self._claims}
        self.dispatcher.assigned(list(self._claims.values()))

    async def _note(self, note: Note, partition: int) -> None:
        await self.broker.append(Append(TOPICS.events, b"", encode(note), partition=partition))

    async def _past(self, partitions: list[int]) -> Past:
        await asyncio.sleep(0)
        return {0: self.broker.status()}

    def _feed(self) -> None:
        """Read one record of each topic that is not held, as the reader would, and commit what is settled."""
        self._commit(self.dispatcher.settled())
        held = self.dispatcher.held()
        for topic, claim in self._claims.items():
            log, at = self.broker.logs[topic], self._read[topic]
            if at < len(log) and held is not None and claim not in held:
                claim.prefix.begin(at)
                self._read[topic] = at + 1
                record = Record(at, log[at])
                self.dispatcher.receive([unpacked(claim, record, 1)])  # type: ignore[arg-type]  # it is like a message

    def _commit(self, settled: Iterable[tuple[Claim, int]]) -> None:
        for claim, offset in settled:
            if claim.live:
                assert claim.topic in self._claims, "its offset is not the group's to commit"
                self._committed[claim.topic] = claim.prefix.settle(offset)
