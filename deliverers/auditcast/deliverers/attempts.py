"""One request, or the lack of one, and the outcome: what is sent, judged, kept for people and logged."""

import asyncio
import gzip
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct

from auditcast.deliverers import retry_after, verdicts
from auditcast.deliverers.certificates import explained
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.consent import ASKED_RATE, Consents
from auditcast.deliverers.destinations import Target
from auditcast.deliverers.judging import Judged, judge
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Failed, Outcome, Reason, Verdict, detail_of, reason_of, verify_code_of
from auditcast.deliverers.parcels import Parcel
from auditcast.deliverers.parts import Part, part_id
from auditcast.deliverers.redaction import shown
from auditcast.deliverers.redirects import redirection
from auditcast.deliverers.request import Headers, headers, question
from auditcast.deliverers.transport import Answer
from auditcast.schemas.formats import Format
from auditcast.schemas.records import Attempt, Batch
from auditcast.schemas.signing_keys import Signer

GZIP_LEVEL = 6
"""48 kB of events take 0.3 ms at this level, 0.12 at 1 and 1 at 9, and come to 14, 16 and 14 %."""

IN_PLACE_BYTES = 128 * 1024
"""Larger bodies are packed in a thread: 900 kB would hold up all other destinations for 9 ms."""

log = logging.getLogger(__name__)


class Errand(Struct, frozen=True):
    """A batch, and what each request for it takes. `replay` is the id of the replay that it belongs to, if any."""

    batch: Batch
    kind: Format
    target: Target
    content_type: str
    replay: str


class _Made(Struct, frozen=True):
    """A request with a body of so many bytes, made `at` (s since 1970): its answer, or what stopped it."""

    at: float
    latency_ms: int
    size: int
    answer: Answer | None
    error: Exception | None


class Sender:
    """Makes requests. `agent` is the value of User-Agent; `origin` says who sends (see consent.py)."""

    def __init__(self, connections: Connections, signer: Signer, metrics: Metrics, *, agent: str, origin: str) -> None:
        self._connections = connections
        self._signer = signer
        self._metrics = metrics
        self._agent = agent
        self._consents = Consents(origin)

    async def attempt(self, errand: Errand, part: Part) -> Outcome:
        """Make one real request. Raises only what is a fault of this program."""
        target, apart_s = errand.target, 0.0
        packed = await _packed(part.body) if target.revision.gzip and errand.kind.gzip else None
        if target.revision.handshake:
            refusal = await self._refusal(errand, part)
            if refusal is not None:
                return refusal
            wait_s, apart_s = self._consents.turn(target, time.monotonic())
            if wait_s:
                await asyncio.sleep(wait_s)
        body = part.body if packed is None else packed
        made = await self._made(errand, "POST", lambda at: self._head(errand, part, packed, at), body)
        if made.answer is not None:
            judged = judge(errand.batch, errand.kind, part, made.answer.status, made.answer.body)
        else:
            judged = await self._stopped(errand, made)
        return _ended(errand, part, made, judged, apart_s)

    async def _refusal(self, errand: Errand, part: Part) -> Outcome | None:
        """Ask the receiver for its consent, unless it gave it before; None if it consents. A test asks anew."""
        target, batch = errand.target, errand.batch
        if self._consents.holds(target) and not batch.is_test:
            return None
        origin = self._consents.origin(target)
        asked = question(batch.destination, custom=target.headers, agent=self._agent, origin=origin, rate=ASKED_RATE)
        made = await self._made(errand, "OPTIONS", lambda _: asked, b"")
        if made.answer is None:
            return _ended(errand, part, made, await self._stopped(errand, made))
        try:
            apart_s = self._consents.take(target, made.answer)
        except Failed as failure:
            judged = Judged(failure.reason, verdicts.BY_REASON[failure.reason], str(failure))
            return _ended(errand, part, made, judged)
        where = {"destination": batch.destination, "host": target.url.host}
        log.info("consent.given", extra=where | {"apart_ms": round(apart_s * 1000)})
        return None

    def _head(self, errand: Errand, part: Part, packed: bytes | None, at: float) -> Headers:
        target, revision = errand.target, errand.target.revision
        key, next_key = target.keys.at(int(at * 1000))
        return headers(
            errand.batch,
            custom=target.headers,
            key=key,
            content_type=errand.content_type,
            agent=self._agent,
            now=int(at),
            part=part,
            replay=errand.replay,
            next_key=next_key,
            sign=self._signer.sign if revision.asymmetric else None,
            packed=packed,
            origin=self._consents.origin(target) if revision.handshake else "",
        )

    async def _made(self, errand: Errand, method: str, head: Callable[[float], Headers], body: bytes) -> _Made:
        """`head` makes the headers of a request that goes out at a time, in s since 1970."""
        at, begun = time.time(), time.monotonic()
        answer, failure = None, None

        def begin() -> Headers:
            nonlocal at, begun
            at, begun = time.time(), time.monotonic()
            return head(at)

        try:
            answer = await self._connections.request(errand.batch.destination, method, errand.target.url, begin, body)
        except Exception as error:
            if reason_of(error) is None:
                raise
            failure = error
        took_s = time.monotonic() - begun
        self._metrics.requested(took_s, answer.status if answer else None, len(body))
        return _Made(at, round(took_s * 1000), len(body), answer, failure)

    async def _stopped(self, errand: Errand, made: _Made) -> Judged:
        """There was no answer. A person who tries the destination out is told more of a bad certificate."""
        if made.error is None or (reason := reason_of(made.error)) is None:
            raise RuntimeError("a request ended neither in an answer nor in a failure that has a name")
        detail = detail_of(made.error)
        if reason is Reason.CERTIFICATE_REFUSED and errand.batch.is_test:
            url = errand.target.url
            certificate = await self._connections.certificate(errand.batch.destination, url)
            now = datetime.fromtimestamp(made.at, UTC)
            detail = explained(verify_code_of(made.error), certificate, url.raw_host.decode(), now) or detail
        return Judged(reason, verdicts.verdict(reason, None), detail)


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


async def _packed(body: bytes) -> bytes:
    """`body` with gzip, the same bytes each time: no time of packing is in them."""
    if len(body) <= IN_PLACE_BYTES:
        return gzip.compress(body, GZIP_LEVEL, mtime=0)
    return await asyncio.to_thread(gzip.compress, body, GZIP_LEVEL, mtime=0)


def _ended(errand: Errand, part: Part, made: _Made, judged: Judged, apart_s: float = 0.0) -> Outcome:
    """What became of a request, told to the log."""
    answer, target = made.answer, errand.target
    detail = judged.detail
    if answer is not None and judged.reason == Reason.REDIRECTED:
        detail = redirection(answer, target)
    elif answer is not None and detail:
        detail = shown(detail.encode(), target.credentials, target.url)
    attempt = Attempt(
        at=int(made.at * 1000),
        latency_ms=made.latency_ms,
        status=answer.status if answer else None,
        error=judged.reason if answer is None or judged.reason == Reason.CONSENT_REFUSED else None,
        detail=detail,
        # A packed answer stays packed, so nothing of it is shown.
        answer=shown(answer.body, target.credentials, target.url) if answer and not answer.encoded else "",
    )
    _report(errand, part, attempt, made.size)
    return Outcome(
        reason=judged.reason,
        verdict=Verdict.SHOWN if errand.batch.is_test else judged.verdict,
        detail=detail,
        # Nothing reached the receiver, so it counts none.
        attempt=None if judged.reason in verdicts.NOT_SENT else attempt,
        retry_after=_wait(answer),
        revision=target.revision,
        apart_s=apart_s,
        shares=judged.shares,
        unread=judged.unread,
    )


def _wait(answer: Answer | None) -> float | None:
    if answer is None or answer.status not in verdicts.MAY_ASK_TO_WAIT:
        return None
    return retry_after.seconds(answer.retry_after, time.time())


def _report(errand: Errand, part: Part, attempt: Attempt, size: int) -> None:
    """The one line of an attempt. Of the URL only the host: path and query may hold credentials."""
    batch = errand.batch
    log.info(
        "delivery.attempted",
        extra={
            "batch": part_id(batch, part.first_event, part.last_event),
            "destination": batch.destination,
            "host": errand.target.url.host,
            "sequence": batch.sequence,
            "status": attempt.status if attempt.error is None else attempt.error,
            "latency_ms": attempt.latency_ms,
            "bytes": size,
        },
    )
