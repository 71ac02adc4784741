"""One parcel to its destination: whether it is sent at all, as a whole or in parts, and what became of each."""

import logging

from msgspec.structs import replace

from auditcast.deliverers.attempts import Errand, Sender, place, unsent
from auditcast.deliverers.destinations import Destinations, Target
from auditcast.deliverers.judging import MOST_SPANS, divided, unread
from auditcast.deliverers.outcomes import Failed, Outcome, Piece, Reason, Verdict
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parts import Part, halves, part_of
from auditcast.deliverers.repeats import Repeats, Seen
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.formats import FORMATS, Format, rendering
from auditcast.schemas.records import Batch, Delivery, Revision

NOT_TRIED = "an earlier part of the batch was not taken, so this one was not sent"

log = logging.getLogger(__name__)


class Courier:
    """Delivers. `wait_s` is the longest wait for a batch's revision."""

    def __init__(self, destinations: Destinations, sender: Sender, *, wait_s: float) -> None:
        self._destinations = destinations
        self._sender = sender
        self._wait_s = wait_s
        self._repeats = Repeats()

    async def deliver(self, parcel: Parcel) -> list[Piece]:
        """How the delivery of `parcel` ended. Raises only what is a fault of this program.

        One piece, unless the receiver finds the batch too large: then one for each request in their order (those with
        `Verdict.SPLIT` stand for the request alone), and one for each part that was not sent any more. A request that
        was taken partly has a piece for itself (`Verdict.PARTLY`), and behind it one for each of its shares.
        """
        batch, delivery = parcel.batch, parcel.delivery
        if batch is None:
            return [Piece(0, 0, unsent(parcel, Failed(Reason.UNREADABLE, parcel.problem)))]
        try:
            seen = self._repeats.seen(batch)
            if seen is Seen.REPEAT and not _meant(delivery):
                log.info("delivery.repeated", extra=place(parcel))
                return [Piece(0, 0, Outcome(reason=None, verdict=Verdict.DELIVERED))]
            kind = _format(batch, seen)
            part = _part(batch, kind, delivery)
            target = await self._destinations.target(batch, self._wait_s)
            errand = Errand(batch, kind, target, _content_type(kind, target.revision), delivery.replay)
        except Failed as failure:
            return [Piece(delivery.first_event, delivery.last_event, unsent(parcel, failure))]
        pieces = await self._send(parcel, errand, part)
        if not part.first_event and all(piece.outcome.verdict in _TAKEN for piece in pieces):
            self._repeats.delivered(batch)
        return pieces

    async def _send(self, parcel: Parcel, errand: Errand, whole: Part) -> list[Piece]:
        """Send `whole`, or halves of it in their order, until one is refused for any other reason than its events."""
        pieces: list[Piece] = []
        waiting, refused = [whole], 0
        while waiting:
            if pieces:
                try:
                    errand = await self._renewed(parcel, errand)
                except Failed as failure:
                    pieces += _behind(waiting, unsent(parcel, failure))
                    break
            part = waiting.pop()
            outcome = await self._attempt(errand, part)
            if outcome.verdict is Verdict.SPLIT:
                smaller = halves(errand.batch, errand.kind, part)
                waiting += reversed(smaller)
                # A single event that is too large stops nobody but itself.
                outcome = outcome if smaller else replace(outcome, verdict=Verdict.DEAD)
                pieces.append(Piece(part.first_event, part.last_event, outcome))
                continue
            if outcome.verdict is Verdict.PARTLY:
                rest = unread(errand.batch, errand.kind, part, outcome)
                # Each event that is refused becomes a dead letter with all of the batch's bytes: not too many at once.
                if rest is not None and refused < MOST_SPANS:
                    waiting.append(rest)
                    outcome = replace(outcome, shares=outcome.shares[:-1])
                pieces += divided(errand.batch, part, outcome)
                refused += 1
                continue
            pieces.append(Piece(part.first_event, part.last_event, outcome))
            if outcome.reason not in (None, Reason.EVENTS_REFUSED):
                pieces += _behind(waiting, _left(outcome))
                break
        return pieces

    async def _renewed(self, parcel: Parcel, errand: Errand) -> Errand:
        """For the next part, which may go out an hour after the first: where to by now. Raises `Failed`."""
        batch = errand.batch
        if not parcel.claim.live:
            raise Failed(Reason.HALTED, "another deliverer owns the batch by now, and sends it")
        if self._destinations.halted(batch.destination):
            raise Failed(Reason.HALTED, "it was paused while the batch was sent in parts")
        target = await self._destinations.target(batch, self._wait_s)
        return replace(errand, target=target, content_type=_content_type(errand.kind, target.revision))

    async def _attempt(self, errand: Errand, part: Part) -> Outcome:
        outcome = await self._sender.attempt(errand, part)
        if outcome.verdict is Verdict.GONE:
            if await self._changed(errand.batch, errand.target):
                # Of what the destination was it says nothing about what it is now.
                return replace(outcome, verdict=Verdict.RETRY)
            self._destinations.give_up(errand.target.revision)
        return outcome

    async def _changed(self, batch: Batch, target: Target) -> bool:
        try:
            return (await self._destinations.target(batch, self._wait_s)).order > target.order
        except Failed:
            return True


_TAKEN = {Verdict.DELIVERED, Verdict.SPLIT}


def _meant(delivery: Delivery) -> bool:
    """Whether this copy is to be sent although the batch may have been delivered: not a repeat by chance."""
    return bool(delivery.replay or delivery.attempts or delivery.first_event)


def _format(batch: Batch, seen: Seen) -> Format:
    """The format that `batch` names; raises `Failed` if it must not be sent at all."""
    if seen is Seen.CONFLICT:
        raise Failed(Reason.CONFLICT, f"another batch was delivered as {batch.id}: find out who wrote this one")
    if batch.format not in FORMATS:
        raise Failed(Reason.FORMAT_UNKNOWN, f"the format {batch.format} is unknown here: upgrade auditcast")
    return FORMATS[batch.format]


def _content_type(kind: Format, revision: Revision) -> str:
    """The content type that a destination chose; raises `Failed`.

    The revision may be of another version of the format than the batch, with options that this one does not have.
    """
    known = {option.name for option in kind.options}
    try:
        return rendering(kind.name, [option for option in revision.options if option.name in known]).content_type
    except InvalidDestination as error:
        raise Failed(Reason.DESTINATION_INVALID, str(error)) from None


def _part(batch: Batch, kind: Format, delivery: Delivery) -> Part:
    """What a copy is of; raises `Failed`."""
    try:
        return part_of(batch, kind, delivery.first_event, delivery.last_event)
    except ValueError as error:
        raise Failed(Reason.UNREADABLE, f"a part of {batch.id} cannot be made: {error}") from None


def _behind(waiting: list[Part], outcome: Outcome) -> list[Piece]:
    """The parts that were not sent any more, the last of which stands first."""
    return [Piece(part.first_event, part.last_event, outcome) for part in reversed(waiting)]


def _left(outcome: Outcome) -> Outcome:
    """What becomes of the parts behind one that was not taken: they are tried after it, or share its end."""
    verdict = Verdict.RETRY if outcome.verdict is Verdict.GONE else outcome.verdict
    return Outcome(reason=outcome.reason, verdict=verdict, detail=NOT_TRIED, retry_after=outcome.retry_after)
