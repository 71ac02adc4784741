"""For platform services: `from auditcast.producers import AuditLog`; see docs/emitting.md."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditcast.producers.channel import DeliveryFailure
    from auditcast.producers.errors import BufferFull, Closed, EventTooLarge, InvalidEvent, NotDurable, UnknownAction
    from auditcast.producers.log import AuditLog
    from auditcast.producers.parties import Actor, Target
    from auditcast.producers.receipts import Receipt
    from auditcast.schemas.catalogue import Catalogue

_HOMES = {
    "Actor": "auditcast.producers.parties",
    "AuditLog": "auditcast.producers.log",
    "BufferFull": "auditcast.producers.errors",
    "Catalogue": "auditcast.schemas.catalogue",
    "Closed": "auditcast.producers.errors",
    "DeliveryFailure": "auditcast.producers.channel",
    "EventTooLarge": "auditcast.producers.errors",
    "InvalidEvent": "auditcast.producers.errors",
    "NotDurable": "auditcast.producers.errors",
    "Receipt": "auditcast.producers.receipts",
    "Target": "auditcast.producers.parties",
    "UnknownAction": "auditcast.producers.errors",
}

__all__ = [
    "Actor",
    "AuditLog",
    "BufferFull",
    "Catalogue",
    "Closed",
    "DeliveryFailure",
    "EventTooLarge",
    "InvalidEvent",
    "NotDurable",
    "Receipt",
    "Target",
    "UnknownAction",
]


def __getattr__(name: str) -> Any:
    """Imported when asked for, since pytest loads the plugin of this package in every project."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
