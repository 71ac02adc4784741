"""Parks batches, and releases them in order: the shell around backlogs and sweeps. Runs in the event loop.

A batch counts as parked, so that its place in the log may be committed, once the copy is durable, and with it a marker
that tells every later owner where to look.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from confluent_kafka import Message

from auditcast.deliverers.account import Account
from auditcast.deliverers.fate import Append, Policy, parked
from auditcast.deliverers.lanes import Lanes
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parked import ParkedReader
from auditcast.deliverers.shards import Shard, marker_key, released_key
from auditcast.deliverers.unpacking import unpacked
from auditcast.schemas.records import Parked
from auditcast.schemas.wire import encode

READ_S = 0.05
"""How long a read waits for a record."""

LOOK_S = 0.5
"""How often it is looked whether a probe is due; everything else that changes wakes the sweeps."""

LONG_S = 0.001
RESTS = 9
"""After a look at all backlogs that took so long, so many times longer goes by before the next: thousands of
destinations that wait must not take the loop from those that are served."""

Append_ = Callable[[Append], Awaitable[int]]


class Parking:
    """`wants` says whether a destination can take a parked batch now, `hand_over` takes it to the lane.

    `give_up` takes one that has been there for too long, and settles it.
    """

    def __init__(  # noqa: PLR0913  (what it is wired to)
        self,
        policy: Policy,
        reader: ParkedReader,
        lanes: Lanes,
        *,
        append: Append_,
        post: Callable[[Append], None],
        wants: Callable[[Account, float], bool],
        hand_over: Callable[[Parcel], None],
        give_up: Callable[[Shard, Account, Parcel], None],
    ) -> None:
        self._policy = policy
        self._reader = reader
        self._lanes = lanes
        self._append = append
        self._post = post
        self._wants = wants
        self._hand_over = hand_over
        self._give_up = give_up
        self._ageing: set[Account] = set()
        self._before = 0
        self._markers: dict[Account, asyncio.Task[int]] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something changed that may let a destination have what is parked."""
        self._woken.set()

    def expire(self, shards: list[Shard], before: int) -> None:
        """Give up what was parked before `before` ms, but for what its destination can take."""
        self._before = before
        self._ageing = {
            account
            for shard in shards
            for account in shard.backlogs.values()
            if account.backlog.since is None or account.backlog.since < before
        }
        self.wake()

    async def park(self, shard: Shard, account: Account, parcel: Parcel, *, excused: bool) -> bool:
        """Keep `parcel` for later; returns whether it is safe there, False if the shard is somebody else's by then.

        The order of the calls is the order of the batches. If `excused`, the time that it lies there is not added to
        the age of the batch.
        """
        now = _ms()
        account.backlog.begin(events_of(parcel), now)
        shard.backlogs[account.destination] = account
        self._lanes.parking(parcel.claim, parcel.size)
        try:
            offset = await self._append(parked(parcel, self._policy, now if excused else 0))
            account.backlog.appended(offset)
            if not shard.parked.live:
                return False
            await self._marked(account, offset)
        finally:
            self._lanes.parking(parcel.claim, -parcel.size)
        self.wake()
        return shard.parked.live

    def settled(self, shard: Shard, account: Account, parcel: Parcel) -> None:
        """Nothing is left to do for a parcel that was parked."""
        account.backlog.settle(parcel.offset, events_of(parcel))
        self._finish(shard, account)
        self.wake()

    def taken_back(self, account: Account, parcel: Parcel) -> None:
        """A parcel that was handed over stays parked."""
        account.backlog.take_back(parcel.offset)
        self.wake()

    async def run(self, shards: Callable[[], list[Shard]]) -> None:
        """Release what may be released, of all ready `shards`, until cancelled."""
        took_s = 0.0
        while True:
            if took_s > LONG_S:
                await asyncio.sleep(RESTS * took_s)
            self._woken.clear()
            now = time.monotonic()
            owned = {shard.number: shard for shard in shards()}
            wanted = {number: at for number, shard in owned.items() if (at := self._plan(shard, now)) is not None}
            took_s = time.monotonic() - now
            if not wanted:
                await self._sleep()
                continue
            found = await self._reader.read(wanted, READ_S)
            for message in found.messages:
                self._meet(owned[message.partition() or 0], message)
            for number, end in found.ends.items():
                self._end(owned[number], end)

    async def close(self) -> None:
        """Let go of the broker."""
        await self._reader.close()

    def forget(self, shard: Shard) -> None:
        """The shard is somebody else's."""
        for account in shard.backlogs.values():
            self._markers.pop(account, None)
            self._ageing.discard(account)

    async def _sleep(self) -> None:
        try:
            async with asyncio.timeout(LOOK_S):
                await self._woken.wait()
        except TimeoutError:
            pass

    def _plan(self, shard: Shard, now: float) -> int | None:
        if not shard.backlogs:
            return None
        backlogs = [account.backlog for account in shard.backlogs.values()]
        wanting = [
            account.backlog
            for account in shard.backlogs.values()
            if account.backlog.readable and (account in self._ageing or self._wants(account, now))
        ]
        return shard.sweep.plan(backlogs, wanting)

    def _meet(self, shard: Shard, message: Message) -> None:
        """A record that the sweep came to."""
        if not shard.ready:
            return
        key, offset = message.key() or b"", message.offset() or 0
        account = shard.backlogs.get(key.decode(errors="replace"))
        wanted = account is not None and self._wants(account, time.monotonic())
        over = account is not None and not wanted and self._is_over(account, message)
        if shard.sweep.meet(offset, account.backlog if account else None, wanted=wanted or over) and account:
            account.backlog.hand_over(offset)
            parcel = unpacked(shard.parked, message, _ms())
            if over:
                self._give_up(shard, account, parcel)
            else:
                self._hand_over(parcel)

    def _is_over(self, account: Account, message: Message) -> bool:
        """Whether a parked batch is to be given up; what lies behind one that is not is younger still."""
        if account not in self._ageing:
            return False
        if message.timestamp()[1] < self._before:
            return True
        self._ageing.discard(account)
        return False

    def _end(self, shard: Shard, offset: int) -> None:
        """The sweep came to the end of the log."""
        if not shard.ready:
            return
        shard.sweep.at = max(offset, shard.sweep.at)
        for account in list(shard.backlogs.values()):
            if not account.backlog.missed:
                account.backlog.ended(offset)
                self._finish(shard, account)

    async def _marked(self, account: Account, offset: int) -> None:
        """Return once a marker of this owner is durable that is not above `offset`."""
        marker = self._markers.get(account)
        if marker is None:
            account.backlog.markers.add(offset)
            record = Parked(destination=account.destination, offset=offset, at=_ms())
            append = self._append(self._record(account, marker_key(account.destination, offset), encode(record)))
            marker = self._markers[account] = asyncio.ensure_future(append)
        await asyncio.shield(marker)

    def _finish(self, shard: Shard, account: Account) -> None:
        """Remove the markers once nothing is parked any more."""
        if not account.backlog.settled:
            return
        del shard.backlogs[account.destination]
        self._markers.pop(account, None)
        self._ageing.discard(account)
        for offset in account.backlog.clear():
            self._post(self._record(account, marker_key(account.destination, offset), None))
        # In this order: without its markers, what was released says nothing.
        if account.told is not None:
            self._post(self._record(account, released_key(account.destination, account.told), None))
            account.told = None

    def _record(self, account: Account, key: bytes, value: bytes | None) -> Append:
        return Append(self._policy.topics.status, key, value, partition=account.partition)


def events_of(parcel: Parcel) -> int:
    """How many events a parcel is to bring."""
    batch, delivery = parcel.batch, parcel.delivery
    if batch is None or batch.is_manifest:
        return 0
    if delivery.last_event:
        return delivery.last_event - delivery.first_event + 1
    return batch.last_event - batch.first_event + 1


def _ms() -> int:
    return int(time.time() * 1000)
