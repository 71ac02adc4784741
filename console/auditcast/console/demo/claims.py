"""What a record of the events topic claims to be, read as the documentation of the topic has it."""

from collections.abc import Sequence

from msgspec import Struct

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import Refused
from auditcast.schemas.records import AuditEvent, Control, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.wire import MARKER, decode_as


class Claim(Struct, frozen=True):
    """An event's place in the world; `content` is its bytes where they must reach the receiver unchanged."""

    id: str
    workspace: str
    organization: str | None
    content: bytes | None = None


def claim_of(value: bytes, headers: Sequence[tuple[str, bytes]]) -> Claim | None:
    """The event in a record, in any of the forms that the topic takes; None if it is no event at all."""
    if value[:2] == MARKER:
        return _avro(value)
    try:
        event, raw = admit(value, headers)
    except Refused:
        return None
    organization = event.organizationid if isinstance(event.organizationid, str) else None
    return Claim(event.id, event.workspaceid, organization, value if raw == value else None)


def revision_in(value: bytes, partition: int, sealer: Sealer) -> Revision | None:
    """The revision that a genuine control record for this partition brings; None for anything else."""
    if value[:2] != MARKER:
        return None
    try:
        control = decode_as(Control, value)
        sealer.verify(control.mac, b"control", str(control.partition).encode(), control.content)
        return decode_as(Revision, control.content) if control.partition == partition else None
    except Refused:
        return None


def source_of(
    value: bytes, headers: Sequence[tuple[str, bytes]], partition: int, sealer: Sealer
) -> tuple[int, int] | None:
    """Partition and offset that an event was moved from, if a worker moved it to `partition`."""
    found = dict(headers)
    where, mac = found.get("auditcast-moved-from"), found.get("auditcast-moved-mac")
    if where is None or mac is None:
        return None
    try:
        sealer.verify(mac, b"moved", where, str(partition).encode(), value)
    except Refused:
        return None
    source, _, offset = where.decode().partition("@")
    return int(source), int(offset)


def _avro(value: bytes) -> Claim | None:
    try:
        event = decode_as(AuditEvent, value)
    except Refused:
        return None
    return Claim(event.id, event.workspace, event.organization)
