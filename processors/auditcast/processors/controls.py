"""A destination's revision as the log carries it."""

import msgspec

from auditcast.schemas.records import Control, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import decode_as, encode


def for_log(revision: Revision) -> Revision:
    """What shapes batches, without where, when and with what key they go there: every service may read the log."""
    return msgspec.structs.replace(
        revision, url="", headers=[], secret=b"", description="", alert_to=[], paused=False, because=""
    )


def control(revision: Revision, partition: int, sealer: Sealer) -> bytes:
    """The record that puts `revision` in force in `partition`, and in no other."""
    content = encode(revision)
    return encode(Control(partition=partition, content=content, mac=sealer.sign(*_parts(partition, content))))


def revision_in(record: Control, sealer: Sealer) -> Revision:
    """The revision that a control record carries; raises `Forged` or `Undecodable`."""
    sealer.verify(record.mac, *_parts(record.partition, record.content))
    return decode_as(Revision, record.content)


def _parts(partition: int, content: bytes) -> tuple[bytes, ...]:
    return (b"control", str(partition).encode(), content)
