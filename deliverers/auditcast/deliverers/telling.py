"""Tells how destinations fare, and how far what was parked is released: at most once a second of each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from auditcast.deliverers.account import Account
from auditcast.deliverers.fate import Append
from auditcast.deliverers.shards import released_key
from auditcast.schemas.records import Released
from auditcast.schemas.wire import encode

EVERY_S = 1.0


class Teller:
    """`waiting` says how many batches of a destination are in memory."""

    def __init__(
        self,
        topic: str,
        *,
        waiting: Callable[[str], int],
        post: Callable[[Append], None],
        append: Callable[[Append], Awaitable[int]],
    ) -> None:
        self._topic = topic
        self._waiting = waiting
        self._post = post
        self._append = append
        self._changed: dict[Account, None] = {}

    def changed(self, account: Account) -> None:
        """There is something new to tell."""
        self._changed[account] = None

    def forget(self, accounts: Iterable[Account]) -> None:
        """They are somebody else's to tell of."""
        for account in accounts:
            self._changed.pop(account, None)

    async def run(self) -> None:
        """Tell what is new, until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            for account in list(self._changed):
                if account in self._changed:
                    del self._changed[account]
                    for record in self._words(account):
                        self._post(record)
                    # There may be thousands, which the deliveries must not wait for.
                    await asyncio.sleep(0)

    async def last_words(self, accounts: Iterable[Account]) -> None:
        """Tell what is new of `accounts`, for their next owner to read."""
        records = [record for account in accounts if account in self._changed for record in self._words(account)]
        await asyncio.gather(*map(self._append, records))

    def _words(self, account: Account) -> list[Append]:
        now = int(time.time() * 1000)
        status = account.status(self._waiting(account.destination), now)
        about = self._record(account, account.destination.encode(), encode(status))
        return [*self._released(account, now), about]

    def _released(self, account: Account, now: int) -> list[Append]:
        """The newer record first: if one of them is lost, too much is read again, and nothing left out."""
        span, told = account.backlog.released, account.told
        if span is None or span == told or not account.backlog.markers:
            return []
        account.told = span
        record = encode(Released(destination=account.destination, first=span[0], offset=span[1], at=now))
        words = [self._record(account, released_key(account.destination, span), record)]
        return words if told is None else [*words, self._record(account, released_key(account.destination, told), None)]

    def _record(self, account: Account, key: bytes, value: bytes | None) -> Append:
        return Append(self._topic, key, value, partition=account.partition)
