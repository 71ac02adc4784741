"""For services that test what they emit: the audit log in memory; the pytest fixture `audit_log` gives one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditcast.producers.testing.memory import MemoryAuditLog

__all__ = ["MemoryAuditLog"]


def __getattr__(name: str) -> Any:
    """Imported when asked for: pytest loads the plugin beside this file in every project."""
    if name == "MemoryAuditLog":
        from auditcast.producers.testing.memory import MemoryAuditLog  # noqa: PLC0415  (see above)

        return MemoryAuditLog
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
