"""The pytest plugin. pytest imports it in every project that has auditcast installed, so it imports nothing itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from auditcast.producers.testing import MemoryAuditLog


@pytest.fixture
def audit_log() -> Iterator[MemoryAuditLog]:
    """An audit log in memory, with the validation of the real one; what was emitted is in `.events`."""
    from auditcast.producers.testing import MemoryAuditLog  # noqa: PLC0415  (only tests that use it pay for it)

    with MemoryAuditLog() as log:
        yield log
