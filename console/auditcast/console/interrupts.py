"""Ctrl-C as a request: the first asks a command to come to an end, the second breaks it off."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click


class Interrupts:
    """Whether the person has asked to stop."""

    def __init__(self, sentence: str) -> None:
        self.asked = False
        self._sentence = sentence

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        click.echo(self._sentence, err=True)


@contextmanager
def interruptible(sentence: str) -> Iterator[Interrupts]:
    """Within, the first SIGINT prints `sentence` and is only noted. For the main thread."""
    interrupts = Interrupts(sentence)
    before = signal.signal(signal.SIGINT, interrupts._asked)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)
