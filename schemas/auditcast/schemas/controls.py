"""What the pipeline itself says in the log, authenticated: a revision, of it what shapes batches; or a note."""

from typing import cast

from msgspec.structs import replace

from auditcast.schemas.records import Control, Note, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode, encode


def for_log(revision: Revision) -> Revision:
    """What shapes batches, without where, when and with what key they go there: every service may read the log."""
    return replace(
        revision, url="", headers=[], secret=b"", description="", alert_to=[], paused=False, because="",
        sealed_url=b"", next_secret=b"", rotation_ends=0, asymmetric=False, handshake=False, gzip=False,
    )  # fmt: skip


def control(said: Revision | Note, partition: int, sealer: Sealer) -> bytes:
    """The record that puts `said` in force in `partition`, and in no other."""
    content = encode(said)
    return encode(Control(partition=partition, content=content, mac=sealer.sign(*_parts(partition, content))))


def content(record: Control, sealer: Sealer) -> Revision | Note:
    """What a control record says; raises `Forged` or `Undecodable`."""
    sealer.verify(record.mac, *_parts(record.partition, record.content))
    return cast("Revision | Note", decode(record.content, (Revision, Note)))


def _parts(partition: int, content: bytes) -> tuple[bytes, ...]:
    return (b"control", str(partition).encode(), content)
