"""From the arguments of `emit` to the event's bytes: pure, and most of what emitting costs (bench/emit.py).

msgspec checks the arguments in C, against the types of forms.py. What it refuses is looked into by refusals.py, which
may take its time.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any

import msgspec
from msgspec import UNSET

from auditcast.producers import refusals
from auditcast.producers.fields import Outcome
from auditcast.producers.forms import AnyData, PlainData
from auditcast.producers.parties import Actor, Target
from auditcast.schemas.attributes import normal_time, permitted, source_of, time_text, type_of
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import EventTooLarge, InvalidEvent
from auditcast.schemas.events import MAX_EVENT_BYTES, Action, CloudEvent, Id, Text, encode

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
        self._place = lru_cache(maxsize=4096)(self._checked_place)

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
    ) -> tuple[str, bytes]:
        """The event's id, and its bytes in the minimal form; raises `InvalidEvent` or `EventTooLarge`.

        `now`, in milliseconds since 1970, and `fresh_id` are for an event that does not say when or which it is.
        """
        try:
            kind, type_ = self._kind(category, action)
            workspace, source = self._place(workspace)
            organizationid = UNSET if organization is None else _organization(organization)
            id = fresh_id if id is None else _attribute("id", id)  # noqa: A001  (see above)
        except TypeError:
            raise refusals.not_text(workspace, category, action, organization, id) from None
        members = {
            "actor": actor if type(actor) is dict else _parts(actor),
            "action": kind,
            "target": target if target is None or type(target) is dict else _parts(target),
            "description": description,
            "metadata": metadata if type(metadata) is dict else _dict(metadata),
            "outcome": outcome,
        }
        if ip is not None or user_agent is not None:
            members["client"] = {"ip": ip, "user_agent": user_agent}
        try:
            data: PlainData | AnyData = msgspec.convert(members, PlainData)
            # msgspec makes lists of sets, and floats of decimals whether they fit or not.
            usual = data.metadata == metadata or metadata is None
        except msgspec.ValidationError:
            usual = False
        if not usual:
            data = _unusual(members)
        subject = UNSET if data.target is None else data.target.id
        if subject is not UNSET and not (subject.isascii() and subject.isprintable()) and not permitted(subject):
            raise refusals.not_permitted("target.id")
        event = CloudEvent(
            specversion="1.0",
            id=id,
            source=source,
            type=type_,
            time=_text_of_now(now) if occurred_at is None else _time(occurred_at),
            subject=subject,
            datacontenttype="application/json",
            data=data,  # type: ignore[arg-type]  # it encodes as one
            workspaceid=workspace,
            organizationid=organizationid,
        )
        try:
            raw = encode(event)
        except (TypeError, ValueError):  # text that is no UTF-8, or of a class of its own
            raise refusals.text_fault(data) from None
        if len(raw) > MAX_EVENT_BYTES:
            raise EventTooLarge(len(raw), MAX_EVENT_BYTES)
        return id, raw

    def check_kind(self, category: str, action: str) -> None:
        """Raise `InvalidEvent` if the catalogue does not have this."""
        self._kind(category, action)

    def _checked_kind(self, category: str, action: str) -> tuple[Action, str]:
        # Of an enumeration's member, its text; so below.
        category, action = str.__str__(category), str.__str__(action)
        self._catalogue.check(category, action)
        return Action(category=category, action=action), type_of(self._type_prefix, category, action)

    def _checked_place(self, workspace: str) -> tuple[str, str]:
        workspace = _attribute("workspace", workspace)
        return workspace, _checked("workspace", source_of(self._base_url, workspace), Text)


def _attribute(field: str, text: str) -> str:
    """`text` as plain `str`, if a CloudEvents attribute may be it; raises `InvalidEvent`, `TypeError` if it is none."""
    plain = _checked(field, str.__str__(text), Id)
    if not permitted(plain):
        raise refusals.not_permitted(field)
    return plain


def _checked(field: str, text: str, kind: Any) -> str:
    try:
        checked: str = msgspec.convert(text, kind)
    except msgspec.ValidationError as error:
        raise refusals.translated(error, field) from None
    return checked


def _unusual(members: dict[str, Any]) -> AnyData:
    """For metadata that is deep, or has tuples, decimals or very large numbers; raises `InvalidEvent` for all else."""
    try:
        data = msgspec.convert(members, AnyData)
    except msgspec.ValidationError as error:
        raise refusals.translated(error) from None
    fault = refusals.metadata_fault(data.metadata)
    if fault is not None:
        raise fault
    plain = msgspec.json.decode(_encode_unusual(data.metadata))
    return msgspec.structs.replace(data, metadata=plain)


def _parts(given: object) -> object:
    """An actor or a target as a dict; anything else as it is, for msgspec to refuse."""
    if isinstance(given, Actor | Target):
        return msgspec.structs.asdict(given)
    return dict(given) if isinstance(given, Mapping) else given


def _dict(given: object) -> dict[str, Any]:
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


_encode_unusual = msgspec.json.Encoder(decimal_format="number").encode
_organization = lru_cache(maxsize=4096)(partial(_attribute, "organization"))
_text_of_now = lru_cache(maxsize=8)(time_text)  # a busy service emits many events in a millisecond
