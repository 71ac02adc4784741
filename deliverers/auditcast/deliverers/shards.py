"""What a process owns with one partition number: its claims, the accounts of its destinations, what is parked there.

`audit.status` holds in each partition how that partition's destinations fare, and where something of theirs is parked.
An owner reads it before it touches anything else.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from auditcast.deliverers.account import Account
from auditcast.deliverers.backlog import Backlog
from auditcast.deliverers.offsets import Span
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


def parked_places(keys: Iterable[bytes]) -> tuple[dict[str, list[int]], dict[str, list[Span]]]:
    """The markers and the released spans of each destination, from the keys of the status topic."""
    markers: dict[str, list[int]] = defaultdict(list)
    spans: dict[str, list[Span]] = defaultdict(list)
    for key in keys:
        text = key.decode(errors="replace")
        if match := _MARKER.fullmatch(text):
            markers[match[1]].append(int(match[2]))
        elif match := _SPAN.fullmatch(text):
            spans[match[1]].append((int(match[2]), int(match[3])))
    return markers, spans


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
        markers, spans = parked_places(past)
        for destination, offsets in markers.items():
            account = self.account(destination)
            account.take_over(Backlog.taken_over(offsets, spans.get(destination, ())))
            self.backlogs[destination] = account
        self.ready = True
        # What stopped owners wrote late, or what lies before all markers. Any other span leads on from one of them: the
        # next owner needs it to come to the beginning of what is left, and not to send again what lies before that.
        return [
            released_key(destination, span)
            for destination, released in spans.items()
            for span in released
            if destination not in markers or span[1] < min(markers[destination])
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
