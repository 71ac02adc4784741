"""One parcel to its destination: what is asked, sent, judged and logged."""

import logging
import time

from auditcast.deliverers.connections import Connections
from auditcast.deliverers.destinations import Destinations, Target
from auditcast.deliverers.outcomes import Failed, Outcome, Reason, detail_of, judge, reason_of
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.repeats import Repeats, Seen
from auditcast.deliverers.request import headers
from auditcast.deliverers.transport import Answer
from auditcast.schemas.formats import FORMATS, Format
from auditcast.schemas.records import Attempt, Batch

KEPT_ANSWER = 1024
"""Characters of an answer that are kept for people."""

log = logging.getLogger(__name__)


class Courier:
    """Delivers. `agent` is the value of User-Agent, `wait_s` the longest wait for a batch's revision."""

    def __init__(self, destinations: Destinations, connections: Connections, *, agent: str, wait_s: float) -> None:
        self._destinations = destinations
        self._connections = connections
        self._agent = agent
        self._wait_s = wait_s
        self._repeats = Repeats()

    async def deliver(self, parcel: Parcel) -> Outcome:
        """How the delivery of `parcel` ended. Raises only what is a fault of this program."""
        batch = parcel.batch
        if batch is None:
            return _impossible(parcel, Failed(Reason.UNREADABLE, parcel.problem))
        seen = self._repeats.seen(batch)
        if seen is Seen.REPEAT:
            log.info("delivery.repeated", extra=_place(parcel))
            return Outcome(reason=None)
        try:
            kind = _format(batch, seen)
            target = await self._destinations.target(batch, self._wait_s)
        except Failed as failure:
            return _impossible(parcel, failure)
        outcome = await self._attempt(batch, kind, target)
        if outcome.reason is None:
            self._repeats.delivered(batch)
        return outcome

    async def _attempt(self, batch: Batch, kind: Format, target: Target) -> Outcome:
        """One real request."""
        at = time.time()
        head = headers(
            batch,
            custom=target.headers,
            key=target.key,
            content_type=kind.content_type,
            agent=self._agent,
            now=int(at),
        )
        begun = time.monotonic()
        answer, reason, detail = None, None, ""
        try:
            answer = await self._connections.post(batch.destination, target.url, head, batch.body)
            reason = judge(kind, answer.status, answer.body)
        except Exception as error:
            reason, detail = reason_of(error), detail_of(error)
            if reason is None:
                raise
        attempt = Attempt(
            at=int(at * 1000),
            latency_ms=round((time.monotonic() - begun) * 1000),
            status=answer.status if answer else None,
            error=reason if answer is None else None,
            detail=detail,
            answer=_shown(answer, target),
        )
        _report(batch, target, attempt)
        return Outcome(reason=reason, detail=detail, attempt=attempt)


def _format(batch: Batch, seen: Seen) -> Format:
    """The format that `batch` names; raises `Failed` if it must not be sent at all."""
    if seen is Seen.CONFLICT:
        raise Failed(Reason.CONFLICT, f"another batch was delivered as {batch.id}: find out who wrote this one")
    if batch.format not in FORMATS:
        raise Failed(Reason.FORMAT_UNKNOWN, f"the format {batch.format} is unknown here: upgrade auditcast")
    return FORMATS[batch.format]


def _impossible(parcel: Parcel, failure: Failed) -> Outcome:
    """No request was made, and none would help."""
    log.error("delivery.impossible", extra=_place(parcel) | {"error": failure.reason, "detail": str(failure)})
    return Outcome(reason=failure.reason, detail=str(failure))


def _place(parcel: Parcel) -> dict[str, object]:
    place = {"topic": parcel.claim.topic, "partition": parcel.claim.partition, "offset": parcel.offset}
    return place | {"batch": parcel.batch.id} if parcel.batch else place


def _shown(answer: Answer | None, target: Target) -> str:
    """The beginning of an answer, for people. A packed one stays packed, so nothing of it.

    Some receivers answer with the request that they got: the destination's credentials are struck out.
    """
    if answer is None or answer.encoded:
        return ""
    text = answer.body.decode(errors="replace")
    for credential in target.credentials:
        text = text.replace(credential, "***")
    return text[:KEPT_ANSWER]


def _report(batch: Batch, target: Target, attempt: Attempt) -> None:
    """The one line of an attempt. Of the URL only the host: path and query may hold credentials."""
    log.info(
        "delivery.attempted",
        extra={
            "batch": batch.id,
            "destination": batch.destination,
            "host": target.url.host,
            "sequence": batch.sequence,
            "status": attempt.status if attempt.error is None else attempt.error,
            "latency_ms": attempt.latency_ms,
            "bytes": len(batch.body),
        },
    )
