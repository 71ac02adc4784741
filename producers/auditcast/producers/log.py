"""`AuditLog`: what a platform's service holds. It validates, appends to a buffer, and does not wait for the broker."""

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self, Unpack

import msgspec

from auditcast.kafka.names import Topics
from auditcast.kafka.settings import BaseUrl, Connection, TypePrefix, read
from auditcast.producers.channel import Channel, DeliveryFailure
from auditcast.producers.composing import Composer
from auditcast.producers.encodings import JSON_HEADERS, encoding_named, id_of
from auditcast.producers.failures import Failures, OnFailure
from auditcast.producers.fields import EventFields, Outcome
from auditcast.producers.ids import new_id
from auditcast.producers.kafka_channel import KafkaChannel
from auditcast.producers.outlet import Outlet
from auditcast.producers.parties import Actor, Target
from auditcast.producers.receipts import Receipt
from auditcast.producers.settings import EncodingName, Settings
from auditcast.schemas.admission import admit
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import Misconfigured

DELIVERY_TIMEOUT_S = 300.0
CLOSE_TIMEOUT_S = 10.0
FLUSH_TIMEOUT_S = 10.0

FAILURES_TIMEOUT_S = 5.0
_log = logging.getLogger("auditcast.producers")


class AuditLog:
    """Emits audit events; one per process, used from any thread and from coroutines.

    `connection` may be bootstrap servers as text. `on_failure` is called, in a thread of its own, with each event that
    did not become durable within `delivery_timeout` seconds. `max_block` is how many seconds `emit` may wait for room
    when 100,000 events or 64 MB are waiting already; 0, for coroutines above all, means that it never waits.
    As a context manager, and at the interpreter's exit, it waits up to `close_timeout` seconds for what was emitted.
    After a fork, the child opens a producer of its own with its first event.
    """

    def __init__(  # noqa: PLR0913  (each has a default that is right for most)
        self,
        connection: Connection | str,
        *,
        base_url: str = "https://atmos-pro.com",
        type_prefix: str = "pro.atmos",
        catalogue: Catalogue | None = None,
        encoding: EncodingName = "json",
        on_failure: OnFailure | None = None,
        max_block: float = 0.0,
        delivery_timeout: float = DELIVERY_TIMEOUT_S,
        close_timeout: float = CLOSE_TIMEOUT_S,
    ) -> None:
        self._connection = Connection(bootstrap_servers=connection) if isinstance(connection, str) else connection
        self._on_failure = on_failure
        self._failures = Failures(on_failure)
        self._delivery_timeout = delivery_timeout
        self._close_timeout = close_timeout
        self._to_value, self._headers = encoding_named(encoding)
        self._composer = Composer(
            base_url=_checked("base_url", base_url, BaseUrl),
            type_prefix=_checked("type_prefix", type_prefix, TypePrefix),
            catalogue=catalogue or Catalogue.builtin(),
        )
        self._outlet = Outlet(self._open_channel, max_block, self.close)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] = os.environ,
        *,
        on_failure: OnFailure | None = None,
        max_block: float = 0.0,
        close_timeout: float = CLOSE_TIMEOUT_S,
    ) -> Self:
        """One set up by `AUDITCAST_…` variables; raises `Misconfigured`, which names the variable."""
        settings = read(Settings, environ)
        return cls(
            settings.connection,
            base_url=settings.base_url,
            type_prefix=settings.type_prefix,
            catalogue=Catalogue.with_file(settings.catalogue) if settings.catalogue else None,
            encoding=settings.encoding,
            on_failure=on_failure,
            max_block=max_block,
            close_timeout=close_timeout,
        )

    def emit(  # noqa: PLR0913  (an event has that many parts)
        self,
        *,
        workspace: str,
        category: str,
        action: str,
        actor: Actor | Mapping[str, Any],
        target: Target | Mapping[str, Any] | None = None,
        organization: str | None = None,
        description: str | None = None,
        outcome: Outcome = "success",
        metadata: Mapping[str, Any] | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        occurred_at: datetime | int | str | None = None,
        id: str | None = None,  # noqa: A002  (the event's field)
    ) -> str:
        """Append one event to the buffer and return its id; waits for nothing but room, at most `max_block` seconds.

        `actor` is {id, type, email?, name?}, `target` {type, id, name?}; `metadata` is any JSON object; `ip` and
        `user_agent` are those of the request. `occurred_at` is a datetime with a time zone, RFC 3339 text, or
        milliseconds since 1970; now unless given. An `id` of your own (unique, at most 256 characters) makes a
        repeated emit recognizable. Raises `InvalidEvent`, `EventTooLarge`, `BufferFull` or `Closed`.
        """
        now = time.time_ns() // 1_000_000
        id, raw = self._composer.compose(  # noqa: A001  (the event's field)
            workspace,
            category,
            action,
            actor,
            target,
            organization,
            description,
            outcome,
            metadata,
            ip,
            user_agent,
            occurred_at,
            id,
            now=now,
            fresh_id=new_id(now),
        )
        self._outlet.send(workspace, self._to_value(raw), self._headers, None)
        return id

    def emit_with_receipt(self, **fields: Unpack[EventFields]) -> Receipt:
        """`emit`, for an event that must be known to be durable: wait for the receipt, or await it."""
        now = time.time_ns() // 1_000_000
        id, raw = self._composer.compose(**fields, now=now, fresh_id=new_id(now))  # noqa: A001  (the event's field)
        receipt = Receipt(id)
        self._outlet.send(fields["workspace"], self._to_value(raw), self._headers, receipt.settle)
        return receipt

    def emit_cloudevent(self, value: bytes) -> str:
        """Append an event that is a CloudEvent in JSON already, another SDK's or `DeliveryFailure.value`; its id.

        Raises what `emit` does, `Undecodable` if it is no JSON, and `InvalidEvent` if the catalogue does not have it.
        """
        event, raw = admit(value)
        self._composer.check_kind(event.data.action.category, event.data.action.action)
        self._outlet.send(event.workspaceid, raw, JSON_HEADERS, None)
        return event.id

    def flush(self, timeout: float = FLUSH_TIMEOUT_S) -> int:
        """Wait until all events so far are durable or given up; 0 if so, else about how many are neither at the end."""
        return self._outlet.flush(timeout)

    def close(self, timeout: float | None = None) -> int:
        """Flush within `timeout` (else `close_timeout`) seconds and give up what is left; how many events that were.

        Each of these is logged and goes to `on_failure`. Closing again does nothing.
        """
        left = self._outlet.close(self._close_timeout if timeout is None else timeout)
        self._failures.wait(FAILURES_TIMEOUT_S)
        if left:
            _log.error("the audit log was closed with %d events that are not known to be durable", left)
        return left

    @property
    def pending(self) -> int:
        """About how many events are neither durable nor given up; 0 only if none."""
        return len(self._outlet)

    @property
    def trouble(self) -> str | None:
        """The last trouble with the broker, as a sentence, which may be over; for a service's own health page."""
        return self._outlet.trouble

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def _open_channel(self) -> Channel:
        # A forked child needs its own: threads and locks do not survive a fork.
        failures = self._failures = Failures(self._on_failure)
        topic = Topics(self._connection.topic_prefix).events

        def failed(workspace: str, value: bytes, reason: str) -> None:
            failures.report(DeliveryFailure(id_of(value), workspace, reason, value))

        return KafkaChannel(self._connection, topic, self._delivery_timeout, failed)


def _checked(name: str, text: str, kind: Any) -> str:
    try:
        checked: str = msgspec.convert(text, kind)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{name}: {str(error)[0].lower()}{str(error)[1:]}") from None
    return checked
