"""How every destination fares, as seen by who looks from outside: at the ledgers, the batches, and what is reported."""

from auditcast.console.demo.chronicle import Line
from auditcast.console.demo.customers import Customers
from auditcast.console.demo.stage import Stage
from auditcast.console.demo.witness import Witness
from auditcast.console.statuses import state_of


class Vantage:
    """`names`, by id, are what people call the destinations."""

    def __init__(self, stage: Stage, customers: Customers, witness: Witness) -> None:
        self.names: dict[str, str] = {}
        self.longest_wait = 0.0
        self._account = stage.account
        self._customers = customers
        self._witness = witness
        self._except: str | None = None
        self._received: dict[str, tuple[int, float]] = {}

    def lines(self) -> list[Line]:
        """One for each destination."""
        return [self._line(destination, name) for destination, name in self.names.items()]

    def parked(self, destination: str) -> int:
        """Its parked batches."""
        status = self._witness.statuses.get(destination)
        return status.parked if status is not None else 0

    def late(self) -> int:
        """Events that are in the log and have not arrived, counted once for each destination."""
        return self._account.expectation.deliveries - self._account.delivered

    def time_all_but(self, destination: str | None) -> None:
        """From now on, `look` keeps the `longest_wait` of all others for a delivery; None: no more."""
        self._except = destination
        self._received.clear()

    def look(self, now: float) -> None:
        """See who has received something, `now` in seconds."""
        if self._except is None:
            return
        for destination, ledger in self._account.ledgers.items():
            count, since = self._received.get(destination, (-1, now))
            if ledger.batches > count:
                self._received[destination] = (ledger.batches, now)
            if destination != self._except:
                self.longest_wait = max(self.longest_wait, now - since)

    def _line(self, destination: str, name: str) -> Line:
        account, status = self._account, self._witness.statuses.get(destination)
        ledger, streams = account.ledgers[destination], account.expectation.streams
        made = sum(
            chain.sequence
            for stream, chain in account.batches.chains.items()
            if stream in streams and streams[stream].destination == destination
        )
        return Line(
            name=name,
            state=state_of(self._customers.current[destination], status),
            events=ledger.events,
            batches=ledger.batches,
            late=max(0, made - ledger.batches),
            parked=self.parked(destination),
            dead=sum(letter.destination == destination for letter in account.owed.values()),
        )
