"""An audit log in memory: the validation of the real one, and lists to look into instead of a broker."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType

from auditcast.producers.channel import Channel, Headers, Settle
from auditcast.producers.errors import BufferFull, Closed
from auditcast.producers.fields import Outcome
from auditcast.producers.log import AuditLog
from auditcast.schemas.attributes import ms_of
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.events import Actor, CloudEvent, Target, decode


class Emitted(Struct, frozen=True, kw_only=True):
    """An event as it was emitted, in the words of `AuditLog.emit`; `occurred_at` in milliseconds since 1970."""

    id: str
    workspace: str
    organization: str | None
    category: str
    action: str
    actor: Actor
    target: Target | None
    description: str | None
    outcome: Outcome
    metadata: dict[str, Any]
    ip: str | None
    user_agent: str | None
    occurred_at: int


class MemoryAuditLog(AuditLog):
    """Keeps what is emitted in `events`. With a `capacity`, it is full when it holds that many."""

    def __init__(
        self,
        *,
        base_url: str = "https://atmos-pro.com",
        type_prefix: str = "pro.atmos",
        catalogue: Catalogue | None = None,
        capacity: int | None = None,
    ) -> None:
        self.values: list[bytes] = []
        """The bytes of each event as they would lie in Kafka: CloudEvents JSON."""
        self._capacity = capacity
        super().__init__("in memory", base_url=base_url, type_prefix=type_prefix, catalogue=catalogue)

    @property
    def events(self) -> list[Emitted]:
        """What was emitted so far, in order."""
        return [_emitted(decode(value)) for value in self.values]

    def one(self, **expected: object) -> Emitted:
        """The only event whose fields equal `expected`; raises `AssertionError`, which lists what was emitted."""
        unknown = expected.keys() - set(Emitted.__struct_fields__)
        if unknown:
            raise TypeError(f"an emitted event has no {min(unknown)}: it has {', '.join(Emitted.__struct_fields__)}")
        events = self.events
        found = [event for event in events if all(getattr(event, name) == expected[name] for name in expected)]
        if len(found) != 1:
            listed = "".join(f"\n  {event}" for event in events) or " nothing"
            raise AssertionError(f"{len(found)} events have {expected}, not one; emitted were:{listed}")
        return found[0]

    def clear(self) -> None:
        """Forget what was emitted."""
        self.values.clear()

    def _open_channel(self) -> Channel:
        return _Memory(self.values, self._capacity)


class _Memory:
    """A channel into a list: every event is durable at once."""

    broken = False
    trouble: str | None = None

    def __init__(self, values: list[bytes], capacity: int | None) -> None:
        self._values = values
        self._capacity = capacity
        self._closed = False

    def __len__(self) -> int:
        return 0

    def send(self, key: str, value: bytes, headers: Headers, max_block: float, settle: Settle | None) -> None:
        if self._closed:
            raise Closed
        if self._capacity is not None and len(self._values) >= self._capacity:
            raise BufferFull(f"{len(self._values)} events are in memory, which is the capacity asked for: clear() it")
        self._values.append(value)
        if settle is not None:
            settle(None)

    def flush(self, timeout: float) -> int:
        return 0

    def close(self, timeout: float) -> int:
        self.retire()
        return 0

    def retire(self) -> None:
        self._closed = True


def _emitted(event: CloudEvent) -> Emitted:
    data = event.data
    client = data.client or None
    return Emitted(
        id=event.id,
        workspace=event.workspaceid,
        organization=_or_none(event.organizationid),
        category=data.action.category,
        action=data.action.action,
        actor=data.actor,
        target=data.target,
        description=data.description,
        outcome=data.outcome,
        metadata=data.metadata,
        ip=None if client is None else _or_none(client.ip),
        user_agent=None if client is None else _or_none(client.user_agent),
        occurred_at=ms_of(event.time),
    )


def _or_none(text: str | UnsetType) -> str | None:
    return None if text is UNSET else text
