"""Email addresses that a mail server can be handed: plain ASCII, nothing that means something in a header."""

import re
from collections.abc import Sequence

MAX_ADDRESS = 254

_ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def usable(address: str) -> bool:
    """Whether an email can go to `address`; checked at its registration, too, but anybody may write to the topic."""
    return len(address) <= MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


def recipients(own: Sequence[str], fallback: Sequence[str]) -> list[str]:
    """Who is told: the destination's `own` addresses, each once, or else the operators' (`fallback`)."""
    wanted = [address for address in own if usable(address)] or fallback
    return list(dict.fromkeys(wanted))
