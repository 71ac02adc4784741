"""Dead letters and the destinations that they are for, read together; and a replay of some of them."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from auditcast.console import replay_shell
from auditcast.console.interrupts import interruptible
from auditcast.console.letter_errand import LetterErrand
from auditcast.console.letters import Filters, Letter
from auditcast.console.mailbag import Mailbag
from auditcast.console.records_again import append_again
from auditcast.console.registry import Registry
from auditcast.console.replay_plan import Plan
from auditcast.console.replay_report import Report
from auditcast.console.replaying import Run
from auditcast.console.sending import Ending, Limits
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions
from auditcast.schemas.records import Revision


class Desk:
    """What lies there; `opened` makes one."""

    def __init__(self, connection: Connection, mailbag: Mailbag, revisions: dict[str, Revision]) -> None:
        self.connection = connection
        self.mailbag = mailbag
        self._revisions = revisions

    def revision(self, destination: str | None) -> Revision | None:
        """The newest revision of a destination, if it is known."""
        return None if destination is None else self._revisions.get(destination)

    def chosen(self, wanted: Filters) -> list[Letter]:
        """The letters that are meant, in their order; raises `NoSuchLetter` for a key that there is not."""
        for key in wanted.keys:
            self.mailbag.get(key)
        found = [letter for letter in self.mailbag.letters.values() if wanted.match(letter, self._workspace)]
        return sorted(found, key=lambda letter: letter.order)

    def replay(self, plan: Plan, limits: Limits) -> Report:
        """Send what `plan` says: first the batches, then the records that could not be read."""
        run = Run(f"rpl_{secrets.token_hex(6)}", plan.items)
        errand = LetterErrand(self.mailbag, partitions(self.connection))
        again = None
        with interruptible(replay_shell.STOPPING) as interrupts:
            ending = replay_shell.send(self.connection, run, errand, interrupts, limits)
            if plan.again and ending is Ending.FINISHED:
                with replay_shell.bar(len(plan.again)) as show:
                    again = append_again(
                        self.connection,
                        self.mailbag,
                        plan.again,
                        rate=limits.rate,
                        interrupts=interrupts,
                        show=lambda done: show(done, "appended again"),
                    )
                if again.again + again.elsewhere < len(plan.again):
                    ending = Ending.INTERRUPTED
        return Report(
            run=run,
            ending=ending,
            again=again,
            refused={why: len(letters) for why, letters in plan.refused.items()},
            parts=len(errand.failed - {item.key for item in plan.items}),
        )

    def _workspace(self, destination: str) -> str | None:
        revision = self.revision(destination)
        return revision.workspace if revision else None


@contextmanager
def opened(connection: Connection) -> Iterator[Desk]:
    """All letters as of now, and who they are for. Raises `BrokerUnavailable`, `WrongTopics`, `PartialRead`."""
    with Registry(connection) as registry:
        revisions = {revision.destination: revision for revision in registry.all()}
    with Mailbag(connection) as mailbag:
        yield Desk(connection, mailbag, revisions)
