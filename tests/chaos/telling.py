"""Whether people were told, and whether what they are told is true: alert emails, and the status of destinations."""

from collections.abc import Iterable

from auditcast.console.demo.account import Account
from auditcast.console.demo.mailbox import Mailbox
from auditcast.console.demo.waiting import until
from auditcast.console.demo.witness import Witness
from auditcast.schemas.records import Revision, Status

TOLD_WITHIN_S = 90.0
"""A mail server that was down is tried again after up to half a minute."""


class Telling:
    """Complete after `end`: `untold` destinations had dead letters and no email, `flooded` ones had two in an hour.

    `wrong` are statuses that say something else than what is, when everything is delivered.
    """

    def __init__(self, account: Account, mailbox: Mailbox, witness: Witness) -> None:
        self.untold: list[str] = []
        self.flooded: list[str] = []
        self.wrong: list[str] = []
        self._account = account
        self._mailbox = mailbox
        self._witness = witness

    async def end(self, current: Iterable[Revision]) -> None:
        """Wait until everybody was told, with the newest revisions of all destinations."""
        alive = {revision.destination for revision in current if revision.state != "deleted"}
        unlucky = self._account.unlucky & alive
        await until(lambda: unlucky <= self._told().keys() and not self._wrong(alive), TOLD_WITHIN_S)
        told = self._told()
        self.untold = sorted(unlucky - told.keys())
        self.flooded = [name for name, ids in told.items() if len(ids) > 1]
        self.wrong = self._wrong(alive)

    def _told(self) -> dict[str, set[str]]:
        """The ids of the emails about each destination; a repetition after a crash has the same id."""
        found: dict[str, set[str]] = {}
        for email in self._mailbox.emails:
            body = email.get_body(("plain",))
            text = body.get_content() if body is not None else ""
            for destination in self._account.ledgers:
                if destination in text:
                    found.setdefault(destination, set()).add(str(email["Message-ID"]))
        return found

    def _wrong(self, alive: set[str]) -> list[str]:
        found = []
        for destination in sorted(alive):
            status = self._witness.statuses.get(destination)
            ledger = self._account.ledgers.get(destination)
            if ledger is None or not ledger.batches:
                continue
            if status is None:
                found.append(f"{destination}: none")
            elif complaint := self._complaint(status):
                found.append(f"{destination}: {complaint}")
        return found

    def _complaint(self, status: Status) -> str:
        chains = self._account.ledgers[status.destination].chains
        delivered = {one.stream: one.sequence for one in status.delivered}
        late = [name for name, chain in chains.items() if delivered.get(name) != chain.sequence]
        facts = {
            "failing": status.failures or status.open or status.failing_since,
            "parked": status.parked or status.parked_since or status.parked_events,
            "waiting": status.waiting,
            f"delivered {delivered}, and not up to the end of {late}": late,
        }
        return ", ".join(f"{name} {fact}" for name, fact in facts.items() if fact)
