"""An alert as an email on its way: to whom, who has it, who does not take it yet."""

from collections.abc import Sequence
from email.message import EmailMessage

from msgspec import Struct

from auditcast.deliverers.alerts.addresses import recipients
from auditcast.deliverers.alerts.alert import Alert, Situation
from auditcast.deliverers.alerts.message import message, message_id
from auditcast.deliverers.alerts.wording import page
from auditcast.schemas.records import Revision


class Envelope(Struct):
    """`left` are the addresses that it is still to be handed over for; `begun` when that began, in ms."""

    alert: Alert
    email: EmailMessage | None
    left: list[str]
    begun: int
    accepted: int = 0


class Desk(Struct, frozen=True):
    """What is the same in all emails; `operators` get those that have nobody else to go to."""

    sender: str
    operators: Sequence[str]
    console_url: str = ""

    def to(self, revision: Revision) -> list[str]:
        """Who is told about a destination."""
        return recipients(revision.alert_to, self.operators)

    def envelope(self, alert: Alert, situation: Situation, now: int) -> Envelope:
        """The alert, for whom it is meant first."""
        return self._envelope(alert, situation, now, self.to(situation.revision), "")

    def for_operators(self, alert: Alert, situation: Situation, now: int) -> Envelope | None:
        """The same email after all others refused it; None if there is nobody else."""
        refused = self.to(situation.revision)
        others = [address for address in recipients(self.operators, ()) if address not in refused]
        if not others:
            return None
        remark = f"This goes to you because the destination's own address is refused: {', '.join(refused)}."
        return self._envelope(alert, situation, now, others, remark)

    def _envelope(self, alert: Alert, situation: Situation, now: int, to: list[str], remark: str) -> Envelope:
        if not to:
            return Envelope(alert, None, [], now)
        own, first = (
            message_id(situation.revision, number, self.sender)
            for number in (alert.told.number, alert.thread or alert.told.number)
        )
        said = page(alert, situation, now, self.console_url, remark)
        return Envelope(alert, message(said, (own, first), self.sender, to, now), to, now)
