"""Where an event lies in the log, told from one record. Pure."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from auditcast.kafka.partitioner import partition_of
from auditcast.processors import moves
from auditcast.schemas.admission import admit
from auditcast.schemas.binary_mode import is_binary
from auditcast.schemas.errors import Refused
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.records import AuditEvent
from auditcast.schemas.wire import MARKER, decode_as

_ID_TIME = slice(4, 16)
"""Of an id that the producers made: `aud_` and a UUIDv7, which begins with its time."""


class Sighting(Struct, frozen=True, kw_only=True):
    """A record of the events topic that holds the event; `timestamp` in ms.

    `form` is `json`, `binary` or `avro`, `home` the partition that its workspace belongs to, `content` the event. Of a
    record that is refused only `problem` is known, which says why.
    """

    partition: int
    offset: int
    timestamp: int
    form: str = ""
    workspace: str = ""
    organization: str | None = None
    home: int = -1
    moved_from: str | None = None
    problem: str | None = None
    content: CloudEvent | AuditEvent | None = None

    @property
    def at_home(self) -> bool:
        """Whether it lies where the destinations' processors look for it."""
        return self.problem is None and self.home == self.partition


class Record(Struct, frozen=True):
    """A record of the events topic."""

    partition: int
    offset: int
    timestamp: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()


class Seeker:
    """Looks for one event among records of a topic with `partitions` partitions."""

    def __init__(self, event: str, partitions: int) -> None:
        self._event = event
        self._partitions = partitions
        raw = event.encode()
        # JSON writes some characters in another way; what is escaped without need is not looked for.
        self._needles = {raw, msgspec.json.encode(event)[1:-1]}

    def may_hold(self, value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bool:
        """The cheap test that most records fail: whether the id's bytes stand in the record."""
        for needle in self._needles:
            if value is not None and needle in value:
                return True
            if headers and any(needle == content for _, content in headers):
                return True
        return False

    def sighting(self, record: Record) -> Sighting | None:
        """What a record that may hold the event has of it; None if it only speaks of it."""
        here = Sighting(partition=record.partition, offset=record.offset, timestamp=record.timestamp)
        try:
            form, content = _read(record)
        except Refused as refused:
            return replace(here, problem=str(refused))
        if content.id != self._event:
            return None
        workspace, organization = _scope(content)
        origin = dict(record.headers).get(moves.FROM)
        return replace(
            here,
            form=form,
            workspace=workspace,
            organization=organization,
            home=partition_of(workspace, self._partitions),
            moved_from=None if origin is None else origin.decode(errors="backslashreplace"),
            content=content,
        )


def _read(record: Record) -> tuple[str, CloudEvent | AuditEvent]:
    if record.value[:2] == MARKER:
        return "avro", decode_as(AuditEvent, record.value)
    event, _ = admit(record.value, record.headers)
    return "binary" if record.headers and is_binary(record.headers) else "json", event


def _scope(event: CloudEvent | AuditEvent) -> tuple[str, str | None]:
    """Its workspace and its organization."""
    if isinstance(event, AuditEvent):
        return event.workspace, event.organization
    return event.workspaceid, None if event.organizationid is UNSET else event.organizationid


def made_at(event: str) -> int | None:
    """When an id was made, in ms, if it tells."""
    if not event.startswith("aud_") or len(event) != 36:
        return None
    try:
        return int(event[_ID_TIME], 16) if event[16] == "7" else None
    except ValueError:
        return None
