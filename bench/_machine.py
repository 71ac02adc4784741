"""What the machine itself is at, so that nobody blames the pipeline for it."""

import multiprocessing
import os
import time
from typing import Any, Self

TURN_S = 0.005

_spawn = multiprocessing.get_context("spawn")


class Machine:
    """A process that does nothing but look at the clock, and so learns for how long the machine lets one wait."""

    def __init__(self) -> None:
        self._longest = _spawn.Value("d", 0.0, lock=False)
        self._process = _spawn.Process(target=_look, args=(self._longest,), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._process.kill()
        self._process.join()

    def stalled_s(self) -> float:
        """The longest wait since the last call."""
        longest, self._longest.value = self._longest.value, 0.0
        return float(longest)

    def __str__(self) -> str:
        return f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}"


def _look(longest: Any) -> None:
    before = time.monotonic()
    while True:
        time.sleep(TURN_S)
        now = time.monotonic()
        longest.value = max(longest.value, now - before - TURN_S)
        before = now
