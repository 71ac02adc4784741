"""In which order a partition of the parked topic is read for many destinations: in passes. Pure.

A pass begins where the first of those who want something stands and goes on as long as it serves one of them. Who
cannot take what the pass comes to (its lane is full) has missed it, and is served by a later pass from there.
"""

from collections.abc import Collection

from auditcast.deliverers.backlog import Backlog


class Sweep:
    """The passes over one partition; `at` is the next offset to read."""

    __slots__ = ("_running", "at")

    def __init__(self) -> None:
        self._running = False
        self.at = 0

    def plan(self, backlogs: Collection[Backlog], wanting: Collection[Backlog]) -> int | None:
        """Where to read on, for some of all `backlogs` of the partition; None: nobody wants anything."""
        if not wanting:
            self._running = False
            return None
        if not self._running or all(backlog.missed for backlog in wanting):
            self._running = True
            self.at = min(backlog.next or 0 for backlog in wanting)
            for backlog in backlogs:
                backlog.missed = backlog.next is None or backlog.next < self.at
        return self.at

    def meet(self, offset: int, backlog: Backlog | None, *, wanted: bool) -> bool:
        """The pass comes to a record; whether to hand it over to whom it belongs."""
        self.at = offset + 1
        if backlog is None or (backlog.next is not None and offset < backlog.next):
            return False
        if wanted and not backlog.missed and backlog.next is not None:
            return True
        backlog.missed = True
        return False
