"""Ids of events: `aud_` and a UUIDv7, so that they sort by time and any UUID tool can read it."""

import os
import random
from functools import lru_cache

_VARIANT = 1 << 63

# A generator of our own, since a service may have seeded the module's for its tests. Uniqueness is all that is asked.
_random = random.Random(os.urandom(32))  # noqa: S311  (no secret is made from it)
_bits = _random.getrandbits
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def new_id(now: int) -> str:
    """A new event id; `now` in milliseconds since 1970. Safe among threads, and different in each forked process."""
    return _first_half(now) + (_VARIANT | _bits(62)).to_bytes(8, "big").hex()


@lru_cache(maxsize=8)  # a busy service emits many events in a millisecond, which 62 random bits tell apart
def _first_half(now: int) -> str:
    return f"aud_{now & 0xFFFFFFFFFFFF:012x}7{_bits(12):03x}"
