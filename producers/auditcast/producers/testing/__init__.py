"""For services that test what they emit: the audit log in memory; the pytest fixture `audit_log` gives one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditcast.producers.testing.memory import Emitted, MemoryAuditLog

__all__ = ["Emitted", "MemoryAuditLog"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: pytest loads the plugin beside this file in every project."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("auditcast.producers.testing.memory"), name)
