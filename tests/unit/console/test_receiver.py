"""The demo's receiver on its bad days, asked by an ordinary client over real TLS."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from auditcast.console.demo import moods
from auditcast.console.demo.certificates import Authority
from auditcast.console.demo.moods import AILMENTS, Mood
from auditcast.console.demo.receiver import Receiver
from auditcast.console.demo.waiting import until

UNSIGNED = b"[]"
"""Taken, it is answered with 401, and noted."""


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[Receiver]:
    async with Receiver(Authority(tmp_path).server()) as receiver:
        receiver.expect("one", "dst_1", "whsec_" + "A" * 44)
        yield receiver


async def _post(receiver: Receiver, body: bytes = UNSIGNED) -> int | str:
    """The status, or what went wrong."""
    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(2), connector=aiohttp.TCPConnector(ssl=False))
    async with session:
        try:
            async with session.post(receiver.url("one"), data=body) as response:
                return response.status
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientError as error:
            return type(error).__name__


@pytest.mark.parametrize("mood", AILMENTS, ids=lambda mood: mood.name)
async def test_it_ails_as_its_mood_says_and_for_no_longer(receiver: Receiver, mood: Mood) -> None:
    expected = {moods.HANGING: "timeout", moods.LOST: "timeout", moods.RESETTING: "ServerDisconnectedError"}
    receiver.moods["one"] = mood
    assert await _post(receiver) == expected.get(mood, mood.status or 401)
    assert receiver.ledgers["one"].faults.total() == int(mood.takes)
    del receiver.moods["one"]
    assert await _post(receiver) == 401


async def test_a_narrow_one_takes_small_bodies_only(receiver: Receiver) -> None:
    receiver.moods["one"] = moods.NARROW
    assert await _post(receiver, b"x" * moods.NARROW.most_bytes) == 401
    assert await _post(receiver, b"x" * (moods.NARROW.most_bytes + 1)) == 413


async def test_one_that_went_down_ends_its_connections_and_comes_back_at_its_place(receiver: Receiver) -> None:
    receiver.moods["one"] = moods.LOST
    asked = asyncio.create_task(_post(receiver))
    assert await until(lambda: receiver.ledgers["one"].faults.total() == 1, 10)
    await receiver.go_down()
    assert await asked == "ServerDisconnectedError"
    assert await _post(receiver) == "ClientConnectorError"
    await receiver.come_back()
    del receiver.moods["one"]
    assert await _post(receiver) == 401
