"""What is done to the pipeline, and when: drawn from a seed, decided before anything runs. No clock, no I/O."""

import random
from collections.abc import Iterator

from msgspec import Struct

PROCESSOR, DELIVERER = "processor", "deliverer"

LONGER_THAN_A_SESSION_S = (9.0, 15.0)
"""For how long a worker is paused; sessions last 6 s, so that others have taken over when it wakes up."""


class Action(Struct, frozen=True, tag_field="do"):
    """Something to do `at` so many seconds; `pick` from [0, 1) chooses among whatever there is by then."""

    at: float
    pick: float


class Kill(Action, frozen=True, tag=True):
    """SIGKILL a worker; another starts `after` seconds."""

    kind: str
    after: float


class Terminate(Action, frozen=True, tag=True):
    """SIGTERM a worker; another starts `after` seconds."""

    kind: str
    after: float


class Pause(Action, frozen=True, tag=True):
    """SIGSTOP a worker for `lasting` seconds."""

    kind: str
    lasting: float


class Grow(Action, frozen=True, tag=True):
    """Start one worker more than there should be, and end one `lasting` seconds later."""

    kind: str
    lasting: float


class Edit(Action, frozen=True, tag=True):
    """Change a destination's description and window."""

    window_events: int
    window_seconds: int


class Suspend(Action, frozen=True, tag=True):
    """Disable a destination, and enable it `lasting` seconds later."""

    lasting: float


class Add(Action, frozen=True, tag=True):
    """Add a destination to a workspace or an organization."""


class Delete(Action, frozen=True, tag=True):
    """Delete a destination."""


class Expire(Action, frozen=True, tag=True):
    """End all processors in good order, let records expire that none of them has read, and start them again."""


class Stall(Action, frozen=True, tag=True):
    """SIGSTOP the broker for `lasting` seconds."""

    lasting: float


def plan(seed: int, seconds: float, *, broker: bool = False) -> list[Action]:
    """The actions of a run in their order; those on the broker only if `broker`."""
    rng = random.Random(seed)
    drawn = [*_workers(rng, seconds), *_destinations(rng, seconds)]
    if seconds >= 20:
        drawn.append(Expire(seconds * rng.uniform(0.4, 0.6), rng.random()))
    if broker:
        drawn += [Stall(at, rng.random(), rng.uniform(2, 8)) for at in _times(rng, seconds, 20, 40)]
    return sorted(drawn, key=lambda action: action.at)


def _workers(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 2, 6):
        kind = PROCESSOR if rng.random() < 0.65 else DELIVERER
        draw, pick = rng.random(), rng.random()
        if draw < 0.35:
            yield Kill(at, pick, kind, rng.uniform(0.2, 3))
        elif draw < 0.55:
            yield Terminate(at, pick, kind, rng.uniform(0.2, 3))
        elif draw < 0.85:
            yield Pause(at, pick, kind, rng.uniform(*LONGER_THAN_A_SESSION_S))
        else:
            yield Grow(at, pick, kind, rng.uniform(5, 15))


def _destinations(rng: random.Random, seconds: float) -> Iterator[Action]:
    for at in _times(rng, seconds, 2, 5):
        draw, pick = rng.random(), rng.random()
        if draw < 0.4:
            yield Edit(at, pick, rng.choice([1, 7, 50, 100]), rng.randint(1, 5))
        elif draw < 0.7:
            yield Suspend(at, pick, rng.uniform(0.5, 8))
        elif draw < 0.9:
            yield Add(at, pick)
        else:
            yield Delete(at, pick)


def _times(rng: random.Random, seconds: float, least: float, most: float) -> Iterator[float]:
    at = rng.uniform(least, most)
    while at < seconds:
        yield at
        at += rng.uniform(least, most)
