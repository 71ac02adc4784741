"""A replay under way: copies are appended, deliverers send them, and what became of each is read from the log."""

import time
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Protocol

from msgspec import Struct

from auditcast.console.appends import Appends, Headers
from auditcast.console.interrupts import Interrupts
from auditcast.console.replaying import Item, Run

LISTEN_S = 0.1
"""How long to listen for verdicts when there is nothing to send."""


class Fate(Enum):
    """What became of a copy; `ELSEWHERE`: somebody else settled what it is about."""

    DELIVERED = "delivered"
    FAILED = "failed"
    ELSEWHERE = "elsewhere"


class Verdict(Struct, frozen=True):
    """The fate of the item `key`; `why` it failed."""

    key: str
    fate: Fate
    why: str = ""


class Copy(Struct, frozen=True):
    """A record to append to `audit.batches`."""

    partition: int
    value: bytes
    headers: Headers


class Errand(Protocol):
    """What is sent again, and where its verdicts come from."""

    def copy(self, item: Item, run: str) -> Copy | None:
        """The record that has a deliverer send `item`; None if there is nothing to send any more."""

    def verdicts(self, run: str, wait_s: float) -> Iterator[Verdict]:
        """What was read about this run's copies; waits at most `wait_s` seconds for it."""


class Ending(Enum):
    """How a run ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    """No deliverer told of anything for as long as it may take."""


class Limits(Struct, frozen=True, kw_only=True):
    """At most `rate` copies a second (None: as they are taken), and the deliverers silent for `patience_s` at most."""

    rate: float | None = None
    patience_s: float = 60.0


class Sender:
    """Sends the items of a run to the batches `topic`."""

    def __init__(self, appends: Appends, topic: str, limits: Limits) -> None:
        self._appends = appends
        self._topic = topic
        self._gap_s = 1 / limits.rate if limits.rate else 0.0
        self._patience_s = limits.patience_s

    def send(self, run: Run, errand: Errand, interrupts: Interrupts, show: Callable[[Run], None]) -> Ending:
        """Return when all have their verdicts, when nothing is heard, or, interrupted, when nothing is under way."""
        next_at = heard = time.monotonic()
        while not run.finished:
            now = time.monotonic()
            item = run.next() if now >= next_at and not interrupts.asked else None
            if item is not None:
                if run.flying == 1:
                    heard = now
                self._send(run, errand, item)
                next_at = max(next_at + self._gap_s, now)
            elif run.flying and now - heard > self._patience_s:
                return Ending.SILENT
            elif interrupts.asked and not run.flying:
                return Ending.INTERRUPTED
            for verdict in errand.verdicts(run.id, 0.0 if item else LISTEN_S):
                heard = time.monotonic()
                _apply(run, verdict)
            self._appends.check()
            show(run)
        return Ending.FINISHED

    def _send(self, run: Run, errand: Errand, item: Item) -> None:
        copy = errand.copy(item, run.id)
        if copy is None:
            run.settled_elsewhere(item.key)
        else:
            self._appends.append(self._topic, copy.partition, item.destination, copy.value, copy.headers)


def _apply(run: Run, verdict: Verdict) -> None:
    match verdict.fate:
        case Fate.FAILED:
            run.landed(verdict.key, delivered=False, why=verdict.why)
        case Fate.DELIVERED if run.landed(verdict.key, delivered=True):
            pass
        case _:  # it was not, or not by us
            run.settled_elsewhere(verdict.key)
