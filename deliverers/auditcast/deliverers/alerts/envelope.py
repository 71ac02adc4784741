"""An alert as an email on its way: to whom, who has it, who does not take it yet."""

from collections.abc import Collection, Sequence
from email.message import EmailMessage

from msgspec import Struct

from auditcast.deliverers.alerts.addresses import recipients
from auditcast.deliverers.alerts.alert import PLAN_KINDS, Alert, Kind, Situation
from auditcast.deliverers.alerts.message import message, message_id
from auditcast.deliverers.alerts.wording import page
from auditcast.schemas.records import Revision, Workspace


class Envelope(Struct):
    """`left` are the addresses that it is still to be handed over for; `begun` when that began, in ms."""

    alert: Alert
    email: EmailMessage | None
    left: list[str]
    begun: int
    accepted: int = 0


class Desk(Struct, frozen=True):
    """What is the same in all emails; `operators` get those that have nobody else to go to.

    A destination's own addresses are told first; without any, its workspace's owners are. What concerns their plan, the
    owners are told in any case.
    """

    sender: str
    operators: Sequence[str]
    console_url: str = ""

    def to(self, revision: Revision, workspace: Workspace | None, kinds: Collection[Kind] = ()) -> list[str]:
        """Who is told about a destination."""
        owners = workspace.owners if workspace else []
        own = [*revision.alert_to, *owners] if PLAN_KINDS & {*kinds} else revision.alert_to
        return recipients(own, owners, self.operators)

    def envelope(self, alert: Alert, situation: Situation, now: int) -> Envelope:
        """The alert, for whom it is meant first."""
        return self._envelope(alert, situation, now, self.to(situation.revision, situation.workspace, alert.kinds), "")

    def for_others(self, alert: Alert, situation: Situation, now: int, refused: Collection[str]) -> Envelope | None:
        """The same email for whoever comes next, after all in `refused` have refused it; None if there is nobody."""
        owners = situation.workspace.owners if situation.workspace else []
        others = recipients(*([each for each in group if each not in refused] for group in (owners, self.operators)))
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
