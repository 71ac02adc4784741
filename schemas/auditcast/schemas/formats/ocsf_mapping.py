"""Which class of OCSF 1.8.0 an audit event is, and what stands in its members (docs/ocsf.md has the tables)."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from auditcast.schemas.attributes import ms_of
from auditcast.schemas.events import Actor, CloudEvent, Target
from auditcast.schemas.formats.content import headline, settled
from auditcast.schemas.formats.values import Effect, effect, given, host, is_ip

VERSION = "1.8.0"

_AUTHENTICATION, _ENTITY, _ACCESS, _GROUP, _API = 3002, 3004, 3005, 3006, 6003
_CLASSES = {
    _AUTHENTICATION: "Authentication",
    _ENTITY: "Entity Management",
    _ACCESS: "User Access Management",
    _GROUP: "Group Management",
    _API: "API Activity",
}
_EFFECTS = {Effect.CREATE: "Create", Effect.READ: "Read", Effect.UPDATE: "Update", Effect.DELETE: "Delete"}
_PEOPLE = {"user": 1, "admin": 2, "system": 3, "service": 4}
_ENTITIES = {"user": 2, "group": 3, "organization": 4, "policy": 5}
_OTHER = 99
_LOGONS = (
    ((2, "Logoff"), re.compile("log_?(?:out|off)|sign_?(?:out|off)")),
    ((1, "Logon"), re.compile("log_?(?:in|on)|sign_?(?:in|on)|token_exchange")),
)
# OCSF's own pattern, less what it allows by mistake (a range from `+` to `/`).
_EMAIL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+")
_encode = msgspec.json.Encoder().encode

Members = dict[str, Any]


class _Kind(msgspec.Struct, frozen=True):
    """A class, the activity in it, and the members that only this class has."""

    class_uid: int
    activity_id: int
    activity: str
    members: Members


_Mapper = Callable[[CloudEvent], _Kind | None]


def mapped(event: CloudEvent, raw: bytes, product: str, vendor: str) -> tuple[Members, Members]:
    """The event without `metadata`, and its `metadata`; `unmapped` is the last member of the first."""
    data, when = event.data, ms_of(event.time)
    kind = _kind(event)
    product = product or host(event.source)
    successful = data.outcome == "success"
    members = given(
        {
            "class_uid": kind.class_uid,
            "class_name": _CLASSES[kind.class_uid],
            "category_uid": kind.class_uid // 1000,
            "activity_id": kind.activity_id,
            "activity_name": kind.activity,
            "type_uid": kind.class_uid * 100 + kind.activity_id,
            "time": when,
            "severity_id": 1,
            "severity": "Informational",
            "status_id": 1 if successful else 2,
            "status": "Success" if successful else "Failure",
            "message": data.description or headline(event),
            "actor": {"user": _user(data.actor)},
            "src_endpoint": _endpoint(event, product),
            "http_request": _request(event),
            **kind.members,
            "raw_data": raw.decode(),
            "unmapped": given(
                {
                    "type": event.type,
                    "source": event.source,
                    "workspace": event.workspaceid,
                    "metadata": settled(data.metadata) or UNSET,
                }
            ),
        }
    )
    metadata = given(
        {
            "version": VERSION,
            "product": {"name": product, "vendor_name": vendor or product},
            "uid": event.id,
            "event_code": _name(event),
            "labels": [data.action.category],
            "original_time": event.time,
            "tenant_uid": event.organizationid,
        }
    )
    return members, metadata


def _name(event: CloudEvent) -> str:
    return f"{event.data.action.category}.{event.data.action.action}"


def _kind(event: CloudEvent) -> _Kind:
    """By the category; whatever lacks what its class asks for is an API activity, for which every event has enough."""
    mapper = _MAPPERS.get(event.data.action.category)
    return (mapper and mapper(event)) or _api(event)


def _api(event: CloudEvent) -> _Kind:
    target = event.data.target
    resources = {} if target is None else {"resources": [given(_resource(target))]}
    return _Kind(_API, *_activity(event), {"api": {"operation": _name(event)}, **resources})


def _entity(event: CloudEvent) -> _Kind | None:
    target = event.data.target
    if target is None:
        return None
    entity = {**_resource(target), "type_id": _ENTITIES.get(target.type, _OTHER)}
    return _Kind(_ENTITY, *_activity(event), {"entity": given(entity)})


def _authentication(event: CloudEvent) -> _Kind:
    action = event.data.action.action
    activity = next((found for found, words in _LOGONS if words.search(action)), (_OTHER, action))
    protocol = {"auth_protocol_id": 4, "auth_protocol": "OpenID"} if "oidc" in action else {}
    members = {"user": _user(event.data.actor), "service": {"name": host(event.source)}, **protocol}
    return _Kind(_AUTHENTICATION, *activity, members)


def _membership(event: CloudEvent) -> _Kind | None:
    target, action = event.data.target, event.data.action.action
    if action.startswith("role_"):
        return _access(event)
    if target is None or effect(action) not in (Effect.CREATE, Effect.DELETE):
        return _entity(event)
    joined = effect(action) is Effect.CREATE
    members = {"user": _target_user(target), "group": {"uid": event.workspaceid, "type": "workspace"}}
    return _Kind(_GROUP, *((3, "Add User") if joined else (4, "Remove User")), members)


def _access(event: CloudEvent) -> _Kind | None:
    """Only if the event says to whom and what; otherwise it is about the permission itself."""
    target, action = event.data.target, event.data.action.action
    privileges = _privileges(event.data.metadata)
    if target is None or target.type not in _HOLDERS or not privileges:
        return _entity(event)
    taken = effect(action) is Effect.DELETE
    members = {"user": _target_user(target), "privileges": privileges}
    return _Kind(_ACCESS, *((2, "Revoke Privileges") if taken else (1, "Assign Privileges")), members)


_HOLDERS = frozenset({"user", "admin", "service", "system", "member", "team_member"})
_MAPPERS: Mapping[str, _Mapper] = {
    "auth": _authentication,
    "billing": _entity,
    "entitlement": _entity,
    "permission": _access,
    "schedule": _entity,
    "team_member": _membership,
    "workspace": _entity,
}


def _activity(event: CloudEvent) -> tuple[int, str]:
    """What is done to an entity or a resource; an activity of another kind goes by the action's own name."""
    kind = effect(event.data.action.action)
    return kind.value, _EFFECTS.get(kind, event.data.action.action)


def _privileges(metadata: Mapping[str, Any]) -> list[str]:
    for name in ("permissions", "permission", "privileges", "privilege", "role", "to"):
        value = metadata.get(name)
        found = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
        if found:
            return found
    return []


def _user(actor: Actor) -> Members:
    email = actor.email if actor.email is not UNSET and _EMAIL.fullmatch(actor.email) else UNSET
    return given({"uid": actor.id, "name": actor.name, "email_addr": email, **_person(actor.type)})


def _target_user(target: Target) -> Members:
    return given({"uid": target.id, "name": target.name, **_person(target.type)})


def _person(kind: str) -> Members:
    return {"type_id": _PEOPLE.get(kind, _OTHER), "type": kind}


def _resource(target: Target) -> Members:
    return {"type": target.type, "uid": target.id, "name": target.name}


def _endpoint(event: CloudEvent, product: str) -> Members:
    """Where it was done from; where nobody knows, the product stands for it."""
    client = event.data.client
    address = UNSET if client is UNSET else client.ip
    if address is UNSET:
        return {"svc_name": product}
    return {"ip": address} if is_ip(address) else {"name": address}


def _request(event: CloudEvent) -> Any:
    client = event.data.client
    return UNSET if client is UNSET or client.user_agent is UNSET else {"user_agent": client.user_agent}
