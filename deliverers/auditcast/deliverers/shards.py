"""What a process owns with one partition number: its claims, the accounts of its destinations, what is parked there.

`audit.status` holds in each partition how that partition's destinations fare, and where something of theirs is parked.
An owner reads it before it touches anything else.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from auditcast.deliverers.account import Account
from auditcast.deliverers.backlog import Backlog, Span
from auditcast.deliverers.parcels import Claim, Source
from auditcast.deliverers.sweep import Sweep
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Status
from auditcast.schemas.wire import decode_as

_MARKER = re.compile(r"parked/(.+)@(\d+)")
_SPAN = re.compile(r"released/(.+)@(\d+)-(\d+)")


def marker_key(destination: str, offset: int) -> bytes:
    """Of a `Parked`."""
    return f"parked/{destination}@{offset}".encode()


def released_key(destination: str, span: Span) -> bytes:
    """Of a `Released`."""
    return f"released/{destination}@{span[0]}-{span[1]}".encode()


class Shard:
    """One partition number, from its assignment to its end. `ready` once its past is known."""

    def __init__(self, number: int, parked_topic: str, probe_s: float) -> None:
        self.number = number
        self.ready = False
        self.claims: set[Claim] = set()
        self.parked = Claim(parked_topic, number, Source.PARKED)
        self.sweep = Sweep()
        self.accounts: dict[str, Account] = {}
        self.backlogs: dict[str, Account] = {}
        """The accounts of which something is parked."""
        self._probe_s = probe_s
        self._past: Mapping[bytes, bytes] = {}

    def begin(self, past: Mapping[bytes, bytes]) -> list[bytes]:
        """Go on from `past`, the values of the status partition by their keys; returns keys that say nothing more."""
        self._past = past
        markers, spans = _places(past, _MARKER), _places(past, _SPAN)
        for destination, places in markers.items():
            account = self.account(destination)
            account.take_over(Backlog.taken_over([offset for (offset,) in places], map(_span, spans[destination])))
            self.backlogs[destination] = account
        self.ready = True
        # What stopped owners wrote late, or what lies behind the beginning of all that is left.
        return [
            released_key(destination, _span(place))
            for destination, places in spans.items()
            for place in places
            if destination not in markers or place[1] < self.backlogs[destination].backlog.first - 1
        ]

    def end(self) -> None:
        """Nothing done for this shard from now on has consequences."""
        self.parked.live = False

    def account(self, destination: str) -> Account:
        """The account of a destination of this partition."""
        account = self.accounts.get(destination)
        if account is None:
            account = Account(destination, self.number, self._probe_s, self._status(destination))
            self.accounts[destination] = account
        return account

    def _status(self, destination: str) -> Status | None:
        raw = self._past.get(destination.encode())
        try:
            return None if raw is None else decode_as(Status, raw)
        except Undecodable:
            return None  # it only tells how things were, and is written anew


def _places(past: Mapping[bytes, bytes], pattern: re.Pattern[str]) -> dict[str, list[tuple[int, ...]]]:
    """The offsets in the keys of one kind, by destination."""
    found: dict[str, list[tuple[int, ...]]] = defaultdict(list)
    for key in past:
        match = pattern.fullmatch(key.decode(errors="replace"))
        if match:
            destination, *offsets = match.groups()
            found[destination].append(tuple(map(int, offsets)))
    return found


def _span(place: tuple[int, ...]) -> Span:
    first, last = place
    return first, last
