"""Which batch is sent again next, and which is not sent at all any more: a run of a replay. No clock, no I/O.

Each destination gets its batches in order. The first goes alone; each one delivered lets one more be under way, up to
`MOST_AT_ONCE`, so that a receiver that is still down is asked a few times and not flooded.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping

from msgspec import Struct

MOST_AT_ONCE = 8
"""Batches under way to one destination: enough that its lane never waits for us, few enough to stop soon."""

ENOUGH = 3
"""Failures in a row after which a destination gets nothing more in this run."""


class Item(Struct, frozen=True, gc=False):
    """A batch, or a part of one, to send again; its bytes lie at `offset` of `partition` of some topic.

    `key` is that of its letter, or the batch's id where there is no letter.
    """

    key: str
    destination: str
    partition: int
    offset: int
    events: int
    sequence: int


class Course:
    """What one destination is to get in this run, and what has become of it."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.waiting = OrderedDict((item.key, item) for item in items)
        self.total = len(self.waiting)
        self.flying: dict[str, Item] = {}
        self.delivered = 0
        self.failed = 0
        self.elsewhere = 0
        """Settled by somebody else meanwhile, or not kept any more."""
        self.why = ""
        """How the newest failure ended."""
        self.given_up = False
        """Whether it gets nothing more in this run, whatever becomes of what is under way."""
        self._at_once = 1
        self._failures = 0

    @property
    def ready(self) -> bool:
        """Whether its next item may be sent."""
        return bool(self.waiting) and len(self.flying) < self._at_once and not self.given_up

    @property
    def left(self) -> int:
        """Items that nothing has become of; they are owed as before."""
        return len(self.waiting) + len(self.flying)

    def landed(self, *, delivered: bool, why: str) -> None:
        """One item ended in one of the two ways that a deliverer knows."""
        if delivered:
            self.delivered += 1
            self._failures = 0
            self._at_once = min(self._at_once + 1, MOST_AT_ONCE)
        else:
            self.failed += 1
            self.why = why
            self._failures += 1
            self._at_once = 1
            self.given_up = self.given_up or self._failures >= ENOUGH


class Run:
    """All destinations of one replay, in turn. `id` is on every copy, and so on every verdict about one."""

    def __init__(self, id_: str, items: Iterable[Item]) -> None:
        """`items` in the order in which each destination is to get them."""
        self.id = id_
        by_destination: dict[str, list[Item]] = {}
        for item in items:
            by_destination.setdefault(item.destination, []).append(item)
        self._courses = {destination: Course(own) for destination, own in by_destination.items()}
        self._turns = deque(self._courses)
        self._destinations = {item.key: item.destination for own in by_destination.values() for item in own}

    @property
    def courses(self) -> Mapping[str, Course]:
        """By destination."""
        return self._courses

    @property
    def flying(self) -> int:
        """Items whose verdict is waited for."""
        return sum(len(course.flying) for course in self._courses.values())

    @property
    def finished(self) -> bool:
        """Whether nothing is under way, nor anything to be sent."""
        return not any(course.flying or course.ready for course in self._courses.values())

    def next(self) -> Item | None:
        """The item to send now, which is under way then; None if every destination has enough to do."""
        for _ in range(len(self._turns)):
            course = self._courses[self._turns[0]]
            self._turns.rotate(-1)
            if course.ready:
                key, item = course.waiting.popitem(last=False)
                course.flying[key] = item
                return item
        return None

    def landed(self, key: str, *, delivered: bool, why: str = "") -> bool:
        """The verdict on what is under way as `key`; returns whether there was such a thing."""
        course = self._course(key)
        if course is None or course.flying.pop(key, None) is None:
            return False
        course.landed(delivered=delivered, why=why)
        return True

    def settled_elsewhere(self, key: str) -> None:
        """Nobody owes this any more, or there is nothing to send."""
        course = self._course(key)
        if course is None:
            return
        for held in (course.flying, course.waiting):
            if held.pop(key, None) is not None:
                course.elsewhere += 1

    def _course(self, key: str) -> Course | None:
        destination = self._destinations.get(key)
        return None if destination is None else self._courses[destination]
