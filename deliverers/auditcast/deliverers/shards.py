"""What a process owns with one partition number: its claims, the accounts of its destinations, what is parked there.

`audit.status` holds in each partition how that partition's destinations fare, and where something of theirs is parked.
An owner reads it before it touches anything else.
"""

from collections import defaultdict
from collections.abc import Mapping

from auditcast.deliverers.account import Account
from auditcast.deliverers.backlog import Backlog
from auditcast.deliverers.parcels import Claim, Source
from auditcast.deliverers.sweep import Sweep
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Status
from auditcast.schemas.wire import decode_as


def marker_key(destination: str, offset: int) -> bytes:
    """Of a `Parked`."""
    return f"parked/{destination}@{offset}".encode()


def released_key(destination: str, offset: int) -> bytes:
    """Of a `Released`."""
    return f"released/{destination}@{offset}".encode()


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
        markers, released = _offsets(past, "parked"), _offsets(past, "released")
        for destination, offsets in markers.items():
            account = self.account(destination)
            account.take_over(Backlog.taken_over(offsets, max(released.get(destination, [-1]))))
            self.backlogs[destination] = account
        self.ready = True
        # A stopped owner may have written late how far it was. Without a marker, or below another, that is no news.
        return [
            released_key(destination, offset)
            for destination, offsets in released.items()
            for offset in offsets
            if destination not in markers or offset < max(offsets)
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


def _offsets(past: Mapping[bytes, bytes], wanted: str) -> dict[str, list[int]]:
    """The offsets in the keys of one kind, by destination."""
    found: dict[str, list[int]] = defaultdict(list)
    for key in past:
        kind, _, rest = key.decode(errors="replace").partition("/")
        destination, _, offset = rest.rpartition("@")
        if kind == wanted and offset.isdigit():
            found[destination].append(int(offset))
    return found
