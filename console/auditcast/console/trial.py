"""A test delivery: one real event, batched as any other but outside every chain, and what the receiver answered.

The command only appends the batch; a deliverer sends it on the same path as all others and reports to `audit.status`.
"""

import queue
import secrets
import time

from auditcast.console.appender import append
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import View
from auditcast.schemas import wire
from auditcast.schemas.chain import NO_GAP, body_digest
from auditcast.schemas.destinations import known_format
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.events import CloudEvent, encode
from auditcast.schemas.formats import Place, rendering
from auditcast.schemas.own_events import own_event
from auditcast.schemas.records import Batch, Revision, TestResult
from auditcast.schemas.redactions import redaction

NOWHERE = -1
"""The partition and offsets of a batch whose event does not lie in the events topic."""


class NoAnswer(AuditcastError):
    """No deliverer reported in time."""


def trial_batch(revision: Revision, batch_id: str, now: int, salt: bytes = b"") -> Batch:
    """The test batch for a destination in its format, at `now` in ms; `salt` is that of its hashed fields, if any.

    Its event is redacted as any other, and sent whatever the filters say: a test that they swallow would tell nothing.
    """
    form = rendering(known_format(revision.format).name, revision.options)
    event = _event(revision, batch_id, now)
    raw = encode(event)
    redact = redaction(revision, salt)
    if redact is not None:
        event, raw = redact(raw)
    place = Place(stream="", sequence=0, first_event=0, opened=now, gap=NO_GAP, previous_digest="")
    body = form.join([form.render(event, raw)], place)
    return Batch(
        id=batch_id,
        destination=revision.destination,
        revision_number=revision.number,
        revision_nonce=revision.nonce,
        stream="",
        sequence=0,
        first_event=0,
        last_event=0,
        partition=NOWHERE,
        first_offset=NOWHERE,
        last_offset=NOWHERE,
        opened=now,
        format=revision.format,
        gap=NO_GAP,
        body_sha256=body_digest(body),
        previous_digest="",
        digest="",
        body=body,
    )


def try_out(connection: Connection, revision: Revision, timeout: float, salt: bytes = b"") -> TestResult:
    """Have a deliverer send a test, and wait for its report for `timeout` seconds; raises `NoAnswer`."""
    topics = Topics(connection.topic_prefix)
    batch = trial_batch(revision, f"test-{secrets.token_hex(8)}", time.time_ns() // 1_000_000, salt)
    reports: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def take(key: bytes, value: bytes | None) -> None:
        if key == batch.id.encode() and value is not None:
            reports.put(value)

    with View(connection, topics.status, on_change=take, on_error=lambda _: reports.put(None)) as view:
        # First the view, so that a topic that is missing is told before anything is sent.
        view.wait_caught_up(2 * clients.ANSWER_S)
        append(connection, topics.batches, batch.destination, wire.encode(batch), clients.ANSWER_S)
        try:
            report = reports.get(timeout=timeout)
        except queue.Empty:
            raise NoAnswer(
                f"no deliverer reported within {timeout:g} s: see whether 'auditcast deliverer' runs;"
                " the test waits in the log and is sent when one does"
            ) from None
        view.check()
    # The report has been read by the one who waited for it; nobody needs it again.
    append(connection, topics.status, batch.id, None, clients.ANSWER_S)
    return wire.decode_as(TestResult, report or b"")


def _event(revision: Revision, batch_id: str, now: int) -> CloudEvent:
    return own_event(
        revision,
        identity=batch_id,
        action="test",
        at=now,
        workspace="test",
        description="A test of this destination; nothing has happened.",
        metadata={},
    )
