"""The shell around the lanes: parcels in from the reader, one at a time per lane out to the courier, settled after."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from auditcast.deliverers.account import Account
from auditcast.deliverers.expiring import note_of
from auditcast.deliverers.fate import Append, Policy, decide, delivered_after, fates, reports
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.measuring import keep_measuring
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Piece, Verdict
from auditcast.deliverers.parcels import Claim, Parcel, Source
from auditcast.deliverers.parked import ParkedReader
from auditcast.deliverers.parking import Parking
from auditcast.deliverers.probes import Place, place_of
from auditcast.deliverers.reader import Settled
from auditcast.deliverers.shards import Shard
from auditcast.deliverers.telling import Teller
from auditcast.schemas.records import Note

Past = dict[int, dict[bytes, bytes]]
"""What `audit.status` holds, by partition."""


class Dispatcher:
    """Runs the lanes in the event loop. `failed` is called with whatever ends the process.

    `halted` says whether nothing may be sent to a destination now, `past` reads the status of some partitions. `note`
    puts a note into a partition of the log.
    """

    def __init__(  # noqa: PLR0913  (what it is wired to)
        self,
        lanes: Lanes,
        policy: Policy,
        parked: ParkedReader,
        *,
        probe_s: float,
        deliver: Callable[[Parcel], Awaitable[list[Piece]]],
        append: Callable[[Append], Awaitable[int]],
        post: Callable[[Append], None],
        report: Callable[[Append], None],
        halted: Callable[[str], bool],
        past: Callable[[list[int]], Awaitable[Past]],
        note: Callable[[Note, int], Awaitable[None]],
        metrics: Metrics,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._lanes = lanes
        self._policy = policy
        self._probe_s = probe_s
        self._deliver = deliver
        self._append = append
        self._post = post
        self._report = report
        self._halted = halted
        self._past = past
        self._note = note
        self._metrics = metrics
        self._failed = failed
        self._shards: dict[int, Shard] = {}
        self._settled: list[Settled] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._keeping: set[asyncio.Task[None]] = set()
        self._landed = asyncio.Event()
        self._teller = Teller(policy.topics.status, waiting=lanes.waiting, post=post, append=append)
        self._parking = Parking(
            policy, parked, lanes, append=append, post=post, wants=self._wants, hand_over=self._queue,
            give_up=self._give_up,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to release what is parked, and to tell how destinations fare."""
        self._begin(self._parking.run(self._ready))
        self._begin(self._teller.run())
        self._begin(keep_measuring(self._metrics, self._lanes, self._ready, self._halted))

    def owned(self) -> list[int]:
        """The numbers of the partitions that are this process's."""
        return [shard.number for shard in self._ready()]

    def expire(self, before: int) -> None:
        """Give up what was parked before `before` ms and cannot be sent now."""
        self._parking.expire(self._ready(), before)

    def assigned(self, claims: list[Claim]) -> None:
        """These claims begin; they are held until what earlier owners left is known."""
        self._shards = {}
        for claim in claims:
            shard = self._shards.get(claim.partition)
            if shard is None:
                shard = Shard(claim.partition, self._policy.topics.parked, self._probe_s)
                self._shards[claim.partition] = shard
            shard.claims.add(claim)
        if claims:
            self._begin(self._learn(list(self._shards.values())))

    def receive(self, parcels: list[Parcel]) -> None:
        """Queue what was read, or park it."""
        for parcel in parcels:
            shard = self._shards.get(parcel.claim.partition)
            if not parcel.claim.live or shard is None:
                continue
            if parcel.batch is None or parcel.batch.is_test:
                self._queue(parcel)
                continue
            account = shard.account(parcel.lane)
            if self._stopped(account, parcel):
                self._stop(shard, account)
                self._keep(shard, account, parcel)
            elif self._waits(account, parcel) or self._lanes.spills(parcel.lane, time.monotonic()):
                self._keep(shard, account, parcel)
            else:
                self._queue(parcel)

    def settled(self) -> list[Settled]:
        """What was settled since the last call."""
        taken, self._settled = self._settled, []
        return taken

    def held(self) -> frozenset[Claim] | None:
        """The claims to pause; None for all."""
        if self._lanes.overflowing:
            return None
        held = self._lanes.held(time.monotonic())
        unready = [shard.claims for shard in self._shards.values() if not shard.ready]
        return held.union(*unready) if unready else held

    def changed(self, destination: str) -> None:
        """There is a newer revision of a destination: it may have been paused, or resumed."""
        for shard in self._shards.values():
            account = shard.accounts.get(destination)
            if account is not None and self._halted(destination):
                self._stop(shard, account)
        self._parking.wake()

    async def release(self, claims: list[Claim], grace_s: float) -> list[Settled]:
        """Give `claims` up: forget what waits, let what is in flight finish within `grace_s`; returns what settled.

        What is in flight still goes on to its end, so that its lane keeps its order; it has no consequences then.
        """
        ending = [shard for shard in self._shards.values() if shard.claims.intersection(claims)]
        everything = [*claims, *(shard.parked for shard in ending)]
        for shard in ending:
            shard.ready = False  # nothing more is released
        self._lanes.withdraw(everything, time.monotonic())
        try:
            async with asyncio.timeout(grace_s):
                while self._lanes.flying(everything) or self._keeping:
                    self._landed.clear()
                    await self._landed.wait()
                for shard in ending:
                    await self._teller.last_words(shard.accounts.values())
        except TimeoutError:
            pass
        for shard in ending:
            shard.end()
            self._parking.forget(shard)
            self._teller.forget(shard.accounts.values())
            self._shards.pop(shard.number, None)
        return self.settled()

    async def stop(self) -> None:
        """Break off whatever is still in flight."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._parking.close()

    def _queue(self, parcel: Parcel) -> None:
        if self._lanes.add(parcel, time.monotonic()):
            self._begin(self._run(parcel.lane))

    def _keep(self, shard: Shard, account: Account, parcel: Parcel, *, excused: bool = True) -> None:
        """Park `parcel`, after all that were kept before."""
        task = self._begin(self._kept(shard, account, parcel, excused=excused))
        self._keeping.add(task)
        task.add_done_callback(self._kept_one)

    async def _kept(self, shard: Shard, account: Account, parcel: Parcel, *, excused: bool) -> None:
        if await self._parking.park(shard, account, parcel, excused=excused):
            self._settle(shard, account, parcel)

    def _kept_one(self, task: asyncio.Task[None]) -> None:
        self._keeping.discard(task)
        self._landed.set()

    def _stopped(self, account: Account, parcel: Parcel) -> bool:
        """Whether nothing like `parcel` may be sent now."""
        if self._halted(account.destination):
            return True
        # A retry is due, and shows at the same time whether the receiver is back; a person asked for a replay.
        exempt = parcel.claim.source is Source.RETRY or parcel.delivery.letter
        return account.standing.open and not exempt

    def _waits(self, account: Account, parcel: Parcel) -> bool:
        """Whether `parcel` has to queue up behind what is parked."""
        return account.backlog.pending and parcel.claim.source is Source.BATCHES and not parcel.delivery.letter

    def _give_up(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        self._begin(self._given_up(shard, account, parcel))

    async def _given_up(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        batch, delivery = parcel.batch, parcel.delivery
        if batch is not None and batch.sequence:
            because = "it was parked for as long as that is possible"
            note = note_of(batch, delivery.first_event, delivery.last_event, because, _ms())
            await self._note(note, batch.partition)
        self._settle(shard, account, parcel)

    def _ready(self) -> list[Shard]:
        return [shard for shard in self._shards.values() if shard.ready]

    def _stop(self, shard: Shard, account: Account) -> None:
        """Park what waits in a destination's lane, so that it comes before everything that is parked later."""

        def stopped(parcel: Parcel) -> bool:
            return parcel.batch is not None and not parcel.batch.is_test and self._stopped(account, parcel)

        for parcel in self._lanes.take_out(account.destination, stopped, time.monotonic()):
            self._put_back(shard, account, parcel)

    def _put_back(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        """Park what was in a lane, unless it lies in the parked topic already."""
        if parcel.claim.source is Source.PARKED:
            self._parking.taken_back(account, parcel)
        else:
            self._keep(shard, account, parcel)

    def _wants(self, account: Account, now: float) -> bool:
        """Whether a destination can take a parked batch."""
        if self._halted(account.destination) or self._lanes.full(account.destination):
            return False
        if not account.standing.open:
            return True
        alone = account.backlog.handed == 0 and self._lanes.waiting(account.destination) == 0
        return alone and account.standing.may_probe(now)

    async def _run(self, lane: str) -> None:
        """Work a lane off, until nothing waits in it."""
        while (parcel := self._lanes.take(lane, time.monotonic())) is not None:
            shard = self._shards.get(parcel.claim.partition)
            owed = parcel.claim.source is Source.PARKED or (parcel.batch is not None and not parcel.batch.is_test)
            if shard is not None and owed:
                await self._send_for(shard, shard.account(lane), parcel)
            else:
                await self._send(parcel)
            self._lanes.landed(lane, time.monotonic())
            self._landed.set()
            if shard is not None and lane in shard.backlogs:
                self._parking.wake()
            # With nothing in flight: what waits can still be parked in its order.
            account = shard.accounts.get(lane) if shard else None
            if account is not None and (wait_s := account.standing.wait(time.monotonic())):
                await asyncio.sleep(wait_s)

    async def _send(self, parcel: Parcel) -> None:
        """Deliver what belongs to no account: a test, or what cannot be read."""
        pieces = await self._deliver(parcel)
        if parcel.claim.live:
            await self._append_all(appended := decide(parcel, pieces, self._policy, _ms()))
            self._metrics.dead_letters(*self._letters(appended, pieces))
            self._settled.append((parcel.claim, parcel.offset))

    async def _send_for(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        if not parcel.claim.live:
            return
        if self._halted(account.destination):
            self._put_back(shard, account, parcel)
            return
        pieces = await self._deliver(parcel)
        if not parcel.claim.live:
            return
        now, was_open = _ms(), account.standing.open
        account.attempted(parcel, pieces, time.monotonic())
        self._teller.changed(account)
        place = place_of(account, parcel, pieces, self._policy.max_age_ms, now)
        for report in reports(parcel, pieces, self._policy, now, stays=place is not Place.DECIDED):
            self._report(report)
        self._metrics.attempted(fates(parcel, pieces, self._policy, now, stays=place is not Place.DECIDED))
        if (delay := delivered_after(parcel, pieces, now)) is not None:
            self._metrics.delivered(delay / 1000)
        if (account.standing.open and not was_open) or self._halted(account.destination):
            self._stop(shard, account)
        match place:
            case Place.DECIDED:
                await self._append_all(appended := decide(parcel, pieces, self._policy, now))
                self._count(account, appended, pieces, now)
                self._settle(shard, account, parcel)
            case Place.BEHIND:
                self._keep(shard, account, parcel, excused=False)
            case Place.HERE:
                self._parking.taken_back(account, parcel)

    def _count(self, account: Account, appended: list[Append], pieces: list[Piece], now: int) -> None:
        letters, reason = self._letters(appended, pieces)
        self._metrics.dead_letters(letters, reason)
        if letters:
            account.dead_letters(letters, reason, now)

    def _letters(self, appended: list[Append], pieces: list[Piece]) -> tuple[int, str]:
        """How many dead letters there are among `appended`, and why in the first place."""
        letters = sum(each.topic == self._policy.topics.dead_letters and each.value is not None for each in appended)
        reasons = [piece.outcome for piece in pieces if piece.outcome.reason]
        # Some retries are used up, or some events will never be taken; of both the latter says more.
        last = max(reversed(reasons), key=lambda outcome: outcome.verdict is Verdict.DEAD, default=None)
        return letters, (last and last.reason) or ""

    def _settle(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        if parcel.claim.source is not Source.PARKED:
            self._settled.append((parcel.claim, parcel.offset))
        elif parcel.claim.live:
            self._parking.settled(shard, account, parcel)
        self._teller.changed(account)

    async def _append_all(self, records: list[Append]) -> None:
        if records:
            await asyncio.gather(*map(self._append, records))

    async def _learn(self, shards: list[Shard]) -> None:
        """Find out what earlier owners left."""
        past = await self._past([shard.number for shard in shards])
        for shard in shards:
            if self._shards.get(shard.number) is not shard:
                return
            for key in shard.begin(past[shard.number]):
                self._post(Append(self._policy.topics.status, key, None, partition=shard.number))
            self._parking.wake()
            # A thousand destinations take some 20 ms.
            await asyncio.sleep(0)

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)


def _ms() -> int:
    return int(time.time() * 1000)
