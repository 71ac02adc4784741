"""One request, or the lack of one, and the outcome: what is sent, judged, kept for people and logged."""

import logging
import time

from msgspec import Struct

from auditcast.deliverers import retry_after, verdicts
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.destinations import Target
from auditcast.deliverers.outcomes import Failed, Outcome, Verdict, detail_of, judge, reason_of
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parts import Part, part_id
from auditcast.deliverers.redaction import shown
from auditcast.deliverers.request import headers
from auditcast.deliverers.transport import Answer
from auditcast.schemas.formats import Format, rendering
from auditcast.schemas.records import Attempt, Batch

log = logging.getLogger(__name__)


class Errand(Struct, frozen=True):
    """A batch, and what each request for it takes. `replay` is the id of the replay that it belongs to, if any."""

    batch: Batch
    kind: Format
    target: Target
    replay: str


async def attempt(errand: Errand, part: Part, connections: Connections, agent: str) -> Outcome:
    """Make one real request. Raises only what is a fault of this program."""
    at = time.time()
    head = headers(
        errand.batch,
        custom=errand.target.headers,
        key=errand.target.key,
        content_type=rendering(errand.kind.name, errand.target.revision.options).content_type,
        agent=agent,
        now=int(at),
        part=part,
        replay=errand.replay,
    )
    begun = time.monotonic()
    answer, reason, detail = None, None, ""
    try:
        answer = await connections.post(errand.batch.destination, errand.target.url, head, part.body)
        reason = judge(errand.kind, answer.status, answer.body)
    except Exception as error:
        reason, detail = reason_of(error), detail_of(error)
        if reason is None:
            raise
    made = Attempt(
        at=int(at * 1000),
        latency_ms=round((time.monotonic() - begun) * 1000),
        status=answer.status if answer else None,
        error=reason if answer is None else None,
        detail=detail,
        # A packed answer stays packed, so nothing of it is shown.
        answer=shown(answer.body, errand.target.credentials, errand.target.url)
        if answer and not answer.encoded
        else "",
    )
    _report(errand, part, made)
    return Outcome(
        reason=reason,
        verdict=Verdict.SHOWN if errand.batch.is_test else verdicts.verdict(reason, made.status),
        detail=detail,
        # Nothing reached the receiver, so it counts none.
        attempt=None if reason in verdicts.NOT_SENT else made,
        retry_after=_wait(answer),
        revision=errand.target.revision,
    )


def unsent(parcel: Parcel, failure: Failed) -> Outcome:
    """No request was made."""
    verdict = verdicts.BY_REASON[failure.reason]
    extra = place(parcel) | {"error": failure.reason, "detail": str(failure)}
    if verdict is Verdict.DEAD:
        log.error("delivery.impossible", extra=extra)
    else:
        log.warning("delivery.postponed", extra=extra)
    if parcel.batch is not None and parcel.batch.is_test:
        verdict = Verdict.SHOWN
    return Outcome(reason=failure.reason, verdict=verdict, detail=str(failure))


def place(parcel: Parcel) -> dict[str, object]:
    """Where a parcel comes from, for the log."""
    found = {"topic": parcel.claim.topic, "partition": parcel.claim.partition, "offset": parcel.offset}
    return found | {"batch": parcel.batch.id} if parcel.batch else found


def _wait(answer: Answer | None) -> float | None:
    if answer is None or answer.status not in verdicts.MAY_ASK_TO_WAIT:
        return None
    return retry_after.seconds(answer.retry_after, time.time())


def _report(errand: Errand, part: Part, made: Attempt) -> None:
    """The one line of an attempt. Of the URL only the host: path and query may hold credentials."""
    batch = errand.batch
    log.info(
        "delivery.attempted",
        extra={
            "batch": part_id(batch, part.first_event, part.last_event),
            "destination": batch.destination,
            "host": errand.target.url.host,
            "sequence": batch.sequence,
            "status": made.status if made.error is None else made.error,
            "latency_ms": made.latency_ms,
            "bytes": len(part.body),
        },
    )
