"""Waiting for something that other processes bring about."""

import asyncio
import time
from collections.abc import Callable

LOOK_EVERY_S = 0.05


async def until(condition: Callable[[], bool], within: float) -> bool:
    """Wait for `condition`, `within` seconds at most; whether it came true."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(LOOK_EVERY_S)
    return True
