"""The account of a run: what had to arrive, what lies in the batches, what the receivers took, and what differs.

No clock, no I/O.
"""

from array import array
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from auditcast.console.demo.batches import Batches
from auditcast.console.demo.chains import Chain
from auditcast.console.demo.expectation import Difference, Expectation, difference
from auditcast.console.demo.ledger import Ledger
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, DeadLetter
from auditcast.schemas.wire import decode_as


class Row(Struct, frozen=True):
    """One destination's line, in events; the differences are those to what was expected."""

    destination: str
    expected: int
    batched: int
    delivered: int
    in_batches: Difference
    at_receiver: Difference

    @property
    def good(self) -> bool:
        """Whether the destination got exactly what it had to get."""
        return not self.in_batches and not self.at_receiver


class Letter(Struct, frozen=True):
    """A dead letter about a delivery, as far as it matters here."""

    destination: str
    reason: str
    detail: str
    events: int


class Account:
    """Three independent sources side by side: the log, the batches, the receivers' ledgers by destination id.

    Dead letters are counted by their reasons: `refused` those of events, `letters` those of deliveries. `owed` has the
    latter by their keys, as long as they are not resolved, `unlucky` all destinations that ever had one.
    """

    def __init__(self, expectation: Expectation, batches: Batches) -> None:
        self.expectation = expectation
        self.batches = batches
        self.ledgers: dict[str, Ledger] = {}
        self.refused: Counter[str] = Counter()
        self.letters: Counter[str] = Counter()
        self.owed: dict[bytes, Letter] = {}
        self.unlucky: set[str] = set()

    @property
    def batched(self) -> int:
        """Events in batches, counted once for each destination."""
        return sum(chain.last_event for chain in self.batches.chains.values())

    @property
    def delivered(self) -> int:
        """Events that receivers took, counted once for each destination."""
        return sum(ledger.events for ledger in self.ledgers.values())

    @property
    def settled(self) -> bool:
        """Whether, by the numbers, all that was expected has been delivered."""
        return self.expectation.deliveries == self.batched == self.delivered

    @property
    def owed_events(self) -> int:
        """Events in the deliveries that were given up, and not resolved since."""
        return sum(letter.events for letter in self.owed.values())

    @property
    def undelivered(self) -> list[str]:
        """A sentence for each delivery that was given up, and not resolved since."""
        return [f"{letter.destination}: {letter.reason}, {letter.detail}" for letter in self.owed.values()]

    def take_letter(self, key: bytes, letter: DeadLetter | None) -> None:
        """A dead letter was written, or resolved."""
        if letter is None:
            self.owed.pop(key, None)
        elif letter.topic.endswith(".batches"):
            self.letters[letter.reason] += 1
            self.unlucky.add(letter.destination or "")
            self.owed[key] = Letter(letter.destination or "", letter.reason, letter.detail, _owed(letter))
        else:
            self.refused[letter.reason] += 1

    def rows(self) -> list[Row]:
        """All destinations, compared event by event; this takes a while with millions."""
        by_destination: dict[str, list[str]] = {name: [] for name in self.ledgers}
        for stream, expected in self.expectation.streams.items():
            by_destination.setdefault(expected.destination, []).append(stream)
        return [self._row(destination, streams) for destination, streams in by_destination.items()]

    def strays(self) -> list[str]:
        """Streams that batches or receivers have and the log does not account for."""
        held = {stream for ledger in self.ledgers.values() for stream in ledger.chains} | set(self.batches.chains)
        return sorted(held - set(self.expectation.streams))

    def _row(self, destination: str, streams: list[str]) -> Row:
        ledger = self.ledgers.get(destination)
        received = ledger.chains if ledger is not None else {}
        return Row(
            destination,
            expected=sum(len(self.expectation.streams[stream].ids) for stream in streams),
            batched=sum(len(_events(self.batches.chains, stream)[0]) for stream in streams),
            delivered=ledger.events if ledger is not None else 0,
            in_batches=self._difference(self.batches.chains, streams),
            at_receiver=self._difference(received, streams),
        )

    def _difference(self, chains: Mapping[str, Chain], streams: list[str]) -> Difference:
        found = [difference(self.expectation.streams[stream], *_events(chains, stream)) for stream in streams]
        return Difference(
            sum(one.missing for one in found),
            sum(one.unexpected for one in found),
            sum(one.altered for one in found),
            any(one.disordered for one in found),
        )


def _owed(letter: DeadLetter) -> int:
    if letter.first_event:
        return letter.last_event - letter.first_event + 1
    try:
        batch = decode_as(Batch, letter.value or b"")
    except Undecodable:
        return 0
    return 0 if batch.is_test or batch.is_manifest else batch.last_event - batch.first_event + 1


def _events(chains: Mapping[str, Chain], stream: str) -> "tuple[array[int], array[int]]":
    chain = chains.get(stream)
    return chain.events if chain is not None else (array("Q"), array("Q"))
