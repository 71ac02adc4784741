"""Hands alerts to the mail server, and goes on with those that not all of their readers have yet."""

import logging
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Protocol

from auditcast.deliverers.alerts.alert import HOUR_MS, Situation
from auditcast.deliverers.alerts.delays import Delays
from auditcast.deliverers.alerts.envelope import Desk, Envelope
from auditcast.deliverers.alerts.post import Receipt

log = logging.getLogger(__name__)


class Poster(Protocol):
    """Who hands emails over: see post.py."""

    async def send(self, email: EmailMessage, to: Sequence[str]) -> Receipt: ...
    async def rest(self) -> None: ...


class Teller:
    """Tells of one alert at a time. `delays` says which destinations' have to wait since their readers refuse."""

    def __init__(self, desk: Desk, post: Poster, now: Callable[[], int]) -> None:
        self.delays = Delays(HOUR_MS)
        self._desk = desk
        self._post = post
        self._now = now
        self._unfinished: dict[str, Envelope] = {}

    def unfinished(self, destination: str) -> Envelope | None:
        """What some of its readers have, and others don't."""
        return self._unfinished.get(destination)

    def forget(self, destination: str) -> None:
        """There is nothing to tell any more, or it is somebody else's to tell."""
        self._unfinished.pop(destination, None)
        self.delays.succeeded(destination)

    def forget_unless(self, mine: Callable[[str], bool]) -> None:
        """Forget all but those that are `mine`."""
        for destination in {*self._unfinished, *self.delays.names()}:
            if not mine(destination):
                self.forget(destination)

    async def tell(self, envelope: Envelope, situation: Situation) -> bool:
        """Hand it over; true once its readers count as told. Raises `PostClosed`."""
        destination, now = situation.revision.destination, self._now()
        if envelope.email is None:
            log.warning("alert.nobody_to_tell", extra={"destination": destination, "about": envelope.alert.kind})
            return True
        receipt = await self._post.send(envelope.email, envelope.left)
        envelope.accepted += len(receipt.accepted)
        envelope.left = list(receipt.later)
        _complain(destination, receipt)
        if not envelope.accepted:
            if not receipt.later and await self._tell_others(envelope, situation, list(receipt.never)):
                return True
            # It is composed anew then, from how things stand then.
            delay = self.delays.failed(destination, now)
            log.warning("alert.unheard", extra={"destination": destination, "retry_s": delay / 1000})
            return False
        if envelope.left and now - envelope.begun < HOUR_MS:
            # Some have it; the others get the very same email.
            self._unfinished[destination] = envelope
            self.delays.failed(destination, now)
            return False
        self.forget(destination)
        return True

    async def _tell_others(self, envelope: Envelope, situation: Situation, refused: list[str]) -> bool:
        """Tell the owners, or else the operators, what those in `refused` do not want to hear for good."""
        while (other := self._desk.for_others(envelope.alert, situation, self._now(), refused)) and other.email:
            receipt = await self._post.send(other.email, other.left)
            _complain(situation.revision.destination, receipt)
            if receipt.accepted:
                envelope.accepted = len(receipt.accepted)
                return True
            refused += other.left
        return False


def _complain(destination: str, receipt: Receipt) -> None:
    for address, why in (receipt.never | receipt.later).items():
        log.warning("alert.refused", extra={"destination": destination, "address": address, "detail": why})
