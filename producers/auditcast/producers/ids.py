"""Ids of events: `aud_` and a UUIDv7, so that they sort by time and any UUID tool can read it."""

import os
import random

_VERSION_AND_VARIANT = 7 << 76 | 2 << 62
_REST = ((1 << 128) - 1) & ~(0xF << 76 | 3 << 62)

# A generator of our own, since a service may have seeded the module's for its tests. Uniqueness is all that is asked.
_random = random.Random(os.urandom(32))  # noqa: S311  (no secret is made from it)
_bits = _random.getrandbits
os.register_at_fork(after_in_child=lambda: _random.seed(os.urandom(32)))


def new_id(now: int) -> str:
    """A new event id; `now` in milliseconds since 1970. Safe among threads, and different in each forked process."""
    return f"aud_{(now << 80 | _bits(80)) & _REST | _VERSION_AND_VARIANT:032x}"
