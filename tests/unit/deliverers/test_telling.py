"""Of what a process gave up it tells no more, whatever it was telling just then."""

import asyncio

import pytest

from auditcast.deliverers import telling
from auditcast.deliverers.account import Account
from auditcast.deliverers.fate import Append
from auditcast.deliverers.telling import Teller


async def test_what_is_given_up_while_others_are_told_of_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "EVERY_S", 0)
    accounts = [Account(f"dst_{number}", 0, 60, None) for number in range(3)]
    told: list[bytes] = []

    def post(record: Append) -> None:
        told.append(record.key)
        teller.forget(accounts[1:2])

    async def append(record: Append) -> int:
        raise AssertionError(record)

    teller = Teller("status", waiting=lambda _: 0, post=post, append=append)
    for account in accounts:
        teller.changed(account)
    run = asyncio.create_task(teller.run())
    async with asyncio.timeout(10):
        while b"dst_2" not in told:  # noqa: ASYNC110  (what is awaited has no event)
            await asyncio.sleep(0)
    run.cancel()
    assert told == [b"dst_0", b"dst_2"]
