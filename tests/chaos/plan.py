"""What is done to the pipeline, and when: drawn from a seed, decided before anything runs. No clock, no I/O."""

import random
from collections.abc import Callable, Iterator

from msgspec import Struct

from auditcast.console.demo.moods import AILMENTS
from tests.chaos.proxy import Cut

PROCESSOR, DELIVERER, ALERTS = "processor", "deliverer", "alerts"

LONGER_THAN_A_SESSION_S = (9.0, 15.0)
"""For how long a worker is paused; sessions last 6 s, so that others have taken over when it wakes up."""

LONGER_THAN_ALL_RETRIES_S = (18.0, 30.0)
BRIEFLY_S = (0.5, 6.0)


class Action(Struct, frozen=True):
    """Something to do `at` so many seconds; `pick` from [0, 1) chooses among whatever there is by then."""

    at: float
    pick: float


class Fault(Action, frozen=True):
    """Harm."""


class Kill(Fault, frozen=True):
    """SIGKILL a worker; another starts `after` seconds."""

    kind: str
    after: float


class Terminate(Fault, frozen=True):
    """SIGTERM a worker; another starts `after` seconds."""

    kind: str
    after: float


class Pause(Fault, frozen=True):
    """SIGSTOP a worker for `lasting` seconds."""

    kind: str
    lasting: float


class Grow(Fault, frozen=True):
    """Start one worker more than there should be, and end one `lasting` seconds later: two rebalances."""

    kind: str
    lasting: float


class Sever(Fault, frozen=True):
    """Cut the network between a worker and the brokers, or a single `node` of them, for `lasting` seconds."""

    kind: str
    how: Cut
    node: int | None
    lasting: float


class Fall(Fault, frozen=True):
    """End a node of Apache Kafka, by SIGKILL or `gently`, and start it again `lasting` seconds later."""

    gently: bool
    lasting: float


class Stall(Fault, frozen=True):
    """SIGSTOP a node of Apache Kafka for `lasting` seconds."""

    lasting: float


class Expire(Fault, frozen=True):
    """End all processors in good order, let records expire that none of them has read, and start them again."""


class Ail(Fault, frozen=True):
    """One destination's receiver ails for `lasting` seconds, in the way of this number."""

    ailment: int
    lasting: float


class Absence(Fault, frozen=True):
    """One server of receivers, and all destinations on it, cannot be reached for `lasting` seconds."""

    lasting: float


class Silence(Fault, frozen=True):
    """The mail server takes nothing for `lasting` seconds."""

    lasting: float


class Change(Action, frozen=True):
    """What customers do."""


class Edit(Change, frozen=True):
    """Change a destination's description and window."""

    window_events: int
    window_seconds: int


class Suspend(Change, frozen=True):
    """Disable a destination, and enable it `lasting` seconds later."""

    lasting: float


class Hold(Change, frozen=True):
    """Pause a destination, and resume it `lasting` seconds later."""

    lasting: float


class Add(Change, frozen=True):
    """Add a destination to a workspace or an organization."""


class Delete(Change, frozen=True):
    """Delete a destination."""


def plan(seed: int, seconds: float, nodes: int) -> list[Action]:
    """The actions of a run in their order; one node of several is ended at times, a single one only stalled."""
    drawn: list[Action] = []
    draws: dict[str, Callable[[random.Random, float], Iterator[Action]]] = {
        "workers": _workers,
        "network": lambda rng, seconds: _network(rng, seconds, nodes),
        "receivers": _receivers,
        "brokers": _brokers if nodes > 1 else _broker,
        "mail": _mail,
        "destinations": _destinations,
        "expiry": _expiry,
    }
    for name, draw in draws.items():
        # Each with a source of its own: more of the one kind leaves the others where they are.
        drawn += draw(random.Random(f"{seed}/{name}"), seconds)
    return sorted(drawn, key=lambda action: action.at)


def _workers(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 2, 6):
        [kind] = rng.choices([PROCESSOR, DELIVERER, ALERTS], [0.45, 0.45, 0.1])
        draw, pick = rng.random(), rng.random()
        if draw < 0.35:
            yield Kill(at, pick, kind, rng.uniform(0.2, 3))
        elif draw < 0.55:
            yield Terminate(at, pick, kind, rng.uniform(0.2, 3))
        elif draw < 0.85:
            yield Pause(at, pick, kind, rng.uniform(*LONGER_THAN_A_SESSION_S))
        else:
            yield Grow(at, pick, kind, rng.uniform(5, 15))


def _network(rng: random.Random, seconds: float, nodes: int) -> Iterator[Action]:
    for at in _times(rng, seconds, 4, 10):
        [kind] = rng.choices([PROCESSOR, DELIVERER, ALERTS], [0.45, 0.45, 0.1])
        node = rng.randrange(nodes) if rng.random() < 0.4 else None
        lasting = rng.uniform(*(BRIEFLY_S if rng.random() < 0.6 else LONGER_THAN_A_SESSION_S))
        yield Sever(at, rng.random(), kind, rng.choice(list(Cut)), node, lasting)


def _receivers(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 1, 3.5):
        lasting = rng.uniform(*(BRIEFLY_S if rng.random() < 0.7 else LONGER_THAN_ALL_RETRIES_S))
        if rng.random() < 0.85:
            yield Ail(at, rng.random(), rng.randrange(len(AILMENTS)), lasting)
        else:
            yield Absence(at, rng.random(), lasting)


def _mail(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 15, 30):
        yield Silence(at, rng.random(), rng.uniform(2, 10))


def _brokers(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 10, 20):
        if rng.random() < 0.7:
            yield Fall(at, rng.random(), rng.random() < 0.25, rng.uniform(1, 6))
        else:
            yield from _stall(rng, at)


def _broker(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 20, 40):
        yield from _stall(rng, at)


def _stall(rng: random.Random, at: float) -> Iterator[Action]:
    yield Stall(at, rng.random(), rng.uniform(2, 8))


def _destinations(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 2, 5):
        draw, pick = rng.random(), rng.random()
        if draw < 0.25:
            yield Edit(at, pick, rng.choice([1, 7, 50, 100]), rng.randint(1, 5))
        elif draw < 0.45:
            yield Suspend(at, pick, rng.uniform(0.5, 8))
        elif draw < 0.7:
            yield Hold(at, pick, rng.uniform(0.5, 15))
        elif draw < 0.9:
            yield Add(at, pick)
        else:
            yield Delete(at, pick)


def _expiry(rng: random.Random, seconds: float) -> Iterator[Action]:
    if seconds >= 20:
        yield Expire(seconds * rng.uniform(0.4, 0.6), rng.random())


def _times(rng: random.Random, seconds: float, least: float, most: float) -> Iterator[float]:
    at = rng.uniform(least, most)
    while at < seconds:
        yield at
        at += rng.uniform(least, most)
