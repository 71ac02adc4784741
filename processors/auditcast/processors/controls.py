"""What the pipeline itself says in the log: of a destination's revision only what shapes batches."""

import msgspec

from auditcast.schemas.controls import content, control
from auditcast.schemas.records import Revision


def for_log(revision: Revision) -> Revision:
    """What shapes batches, without where, when and with what key they go there: every service may read the log."""
    return msgspec.structs.replace(
        revision, url="", headers=[], secret=b"", description="", alert_to=[], paused=False, because="",
        sealed_url=b"", next_secret=b"", rotation_ends=0, asymmetric=False, handshake=False, gzip=False,
    )  # fmt: skip


__all__ = ["content", "control", "for_log"]
