"""Email addresses that a mail server can be handed: plain ASCII, nothing that means something in a header.

So none that looks like the beginning of an encoded word (RFC 2047) either, which Python would decode.
"""

import re
from collections.abc import Sequence

MAX_ADDRESS = 254

_ADDRESS = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def usable(address: str) -> bool:
    """Whether an email can go to `address`; checked at its registration, too, but anybody may write to the topic."""
    return len(address) <= MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


def recipients(*groups: Sequence[str]) -> list[str]:
    """Who is told: all in the first of `groups` in which anybody can be, each address once."""
    for group in groups:
        usable_ones = [address for address in group if usable(address)]
        if usable_ones:
            return list(dict.fromkeys(usable_ones))
    return []
