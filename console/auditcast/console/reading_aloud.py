"""How far a long reading is, said on standard error."""

import time

import click

QUIET_S = 3.0
"""A reading that takes longer says how far it is."""


class ReadingAloud:
    """To be called with a topic for each record of it."""

    def __init__(self) -> None:
        self._count = 0
        self._topic = ""
        self._last = time.monotonic()

    def __call__(self, topic: str) -> None:
        """One more record of `topic` was read."""
        if topic != self._topic:
            self._topic, self._count = topic, 0
        self._count += 1
        if self._count % 4096 == 0 and time.monotonic() - self._last >= QUIET_S:
            self._last = time.monotonic()
            click.echo(f"{self._count:,} records of {topic} read …", err=True)
