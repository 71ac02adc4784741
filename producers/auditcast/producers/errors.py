"""Errors of emitting, named by the decision that they force.

AuditcastError (schemas/errors.py)
├── Refused
│   ├── InvalidEvent     the call is wrong: mend it; `field` says where
│   └── EventTooLarge    shorten the metadata
├── BufferFull           the broker has been away for long: try again later, or let the request fail
├── Closed               the log was closed before: a fault of the service's own order of shutting down
└── NotDurable           the broker has not acknowledged an event that somebody waits for
"""

from auditcast.schemas.errors import AuditcastError, EventTooLarge, InvalidEvent, UnknownAction

__all__ = ["BufferFull", "Closed", "EventTooLarge", "InvalidEvent", "NotDurable", "UnknownAction"]


class BufferFull(AuditcastError):
    """No room for one more event; this one was not taken."""


class Closed(AuditcastError):
    """The audit log was closed before this event, or while it was emitted: nobody waits for its delivery."""

    def __init__(self) -> None:
        super().__init__("the audit log is closed: emit before closing it, or close it later")


class NotDurable(AuditcastError):
    """The event `id` is not known to be durable."""

    def __init__(self, id: str, reason: str) -> None:  # noqa: A002  (the event's field)
        super().__init__(f"the event {id} is not known to be durable: {reason}")
        self.id = id
        self.reason = reason
