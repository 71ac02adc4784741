"""From what a service says to an event and its bytes: pure, and the whole cost of emitting but for the sending.

The bytes are validated by reading them back with the reader of the processor, which is C: what it takes without a word
when it comes from here, it takes there. Only an event that is not read back as it was is looked into, by refusals.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from auditcast.producers import refusals
from auditcast.producers.fields import Outcome
from auditcast.schemas.attributes import normal_time, permitted, source_of, time_text, type_of
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import EventTooLarge, InvalidEvent
from auditcast.schemas.events import (
    MAX_EVENT_BYTES,
    Action,
    Actor,
    Client,
    CloudEvent,
    Data,
    Target,
    decode,
    encode,
)
from auditcast.schemas.strict_json import within_limits

P = TypeVar("P", Actor, Target)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Composer:
    """What all events of one service share."""

    def __init__(self, *, base_url: str, type_prefix: str, catalogue: Catalogue) -> None:
        self._base_url = base_url
        self._type_prefix = type_prefix
        self._catalogue = catalogue
        # A service emits few kinds of events, and for the same workspaces again and again.
        self._kind = lru_cache(maxsize=1024)(self._checked_kind)
        self._source = lru_cache(maxsize=4096)(self._checked_source)

    def compose(  # noqa: PLR0913, PLR0917  (an event has that many parts, and keywords cost time)
        self,
        workspace: str,
        category: str,
        action: str,
        actor: Actor | Mapping[str, Any],
        target: Target | Mapping[str, Any] | None = None,
        organization: str | None = None,
        description: str | None = None,
        outcome: Outcome = "success",
        metadata: Mapping[str, Any] | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        occurred_at: datetime | int | str | None = None,
        id: str | None = None,  # noqa: A002  (the event's field)
        *,
        now: int,
        fresh_id: str,
    ) -> tuple[CloudEvent, bytes]:
        """The event and its bytes, in the minimal form; raises `InvalidEvent` or `EventTooLarge`.

        `now` in milliseconds since 1970, and `fresh_id`, are for an event that does not say when or which it is.
        """
        try:
            kind, type_ = self._kind(category, action)
            source = self._source(workspace)
        except TypeError:
            raise refusals.not_text(workspace=workspace, category=category, action=action) from None
        if target is not None and type(target) is not Target:
            target = _party(Target, "target", target)
        event = CloudEvent(
            specversion="1.0",
            id=fresh_id if id is None else id,
            source=source,
            type=type_,
            time=_time(now if occurred_at is None else occurred_at),
            subject=UNSET if target is None else target.id,
            datacontenttype="application/json",
            data=Data(
                actor=actor if type(actor) is Actor else _party(Actor, "actor", actor),
                action=kind,
                target=target,
                description=description,
                metadata=metadata if type(metadata) is dict else _metadata(metadata),
                outcome=outcome,
                client=UNSET
                if ip is None and user_agent is None
                else Client(ip=UNSET if ip is None else ip, user_agent=UNSET if user_agent is None else user_agent),
            ),
            workspaceid=workspace,
            organizationid=UNSET if organization is None else organization,
        )
        return _sound(event)

    def check_kind(self, category: str, action: str) -> None:
        """Raise `InvalidEvent` if the catalogue does not have this."""
        self._kind(category, action)

    def _checked_kind(self, category: str, action: str) -> tuple[Action, str]:
        # Of an enumeration's member, its text.
        category, action = str.__str__(category), str.__str__(action)
        self._catalogue.check(category, action)
        return Action(category=category, action=action), type_of(self._type_prefix, category, action)

    def _checked_source(self, workspace: str) -> str:
        return source_of(self._base_url, str.__str__(workspace))


def _sound(event: CloudEvent) -> tuple[CloudEvent, bytes]:
    """The event as it is read back from its bytes, and these."""
    try:
        raw = encode(event)
        read = decode(raw)
    except msgspec.ValidationError as error:
        raise refusals.translated(error) from None
    # What msgspec raises for things that are no JSON: lone surrogates, unknown types, circles, endless numbers.
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise refusals.first_fault(event) or refusals.unwritable() from None
    if read != event or not within_limits(read.data.metadata, refusals.METADATA_DEPTH) or not _permits(read, raw):
        fault = refusals.first_fault(event)
        if fault is not None:
            raise fault
        # Tuples are read back as lists, and so on: as good, unless it would be written otherwise the next time.
        if encode(read) != raw:
            raise refusals.unwritable()
    if len(raw) > MAX_EVENT_BYTES:
        raise EventTooLarge(len(raw), MAX_EVENT_BYTES)
    return read, raw


def _permits(event: CloudEvent, raw: bytes) -> bool:
    """Whether CloudEvents lets the attributes have their values."""
    # In plain ASCII none can hold what is forbidden; most events are so.
    if raw.isascii() and b"\\" not in raw and b"\x7f" not in raw:
        return True
    attributes = (event.id, event.source, event.subject, event.workspaceid, event.organizationid)
    return all(text is UNSET or permitted(text) for text in attributes)


def _party(kind: type[P], field: str, given: object) -> P:
    """An actor or a target from a mapping; None means that a part is not there."""
    if isinstance(given, kind):
        return given
    if not isinstance(given, Mapping):
        raise InvalidEvent(field, f"give a {kind.__name__} or a mapping, not {refusals.named(given)}")
    try:
        return kind(**(given if None not in given.values() else {k: v for k, v in given.items() if v is not None}))
    except TypeError:
        raise refusals.wrong_parts(kind, field, given) from None


def _metadata(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return dict(given)
    raise InvalidEvent("metadata", f"must be a dict, not {refusals.named(given)}")


def _time(given: object) -> str:
    try:
        if type(given) is int:
            return time_text(given)
        if isinstance(given, datetime) and given.utcoffset() is not None:
            return time_text((given - _EPOCH) // _MILLISECOND)
        if isinstance(given, str):
            return normal_time(given)
    except InvalidEvent as wrong:
        raise InvalidEvent("occurred_at", str(wrong).removeprefix("time: ")) from None
    raise InvalidEvent("occurred_at", "give a datetime with a time zone, RFC 3339 text, or milliseconds since 1970")
