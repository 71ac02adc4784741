"""An audit event as it lies in the log and as a receiver gets it: a CloudEvent 1.0 in JSON, structured mode.

The fields stand in the order in which they are written; absent ones are left out, `target` and `description` are null.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

MAX_EVENT_BYTES = 256 * 1024
"""The size of one event on the wire."""

MAX_DEPTH = 32
"""How deeply objects and arrays may nest in one event."""

Text = Annotated[str, Meta(min_length=1, max_length=1024)]
Id = Annotated[str, Meta(min_length=1, max_length=256)]
Description = Annotated[str, Meta(max_length=16_384)]
Address = Annotated[str, Meta(min_length=2, max_length=64)]
UserAgent = Annotated[str, Meta(min_length=1, max_length=4096)]


class Actor(Struct, frozen=True, kw_only=True, gc=False):
    """Who did it."""

    id: Id
    type: Id
    email: Text | UnsetType = UNSET
    name: Text | UnsetType = UNSET


class Action(Struct, frozen=True, kw_only=True, gc=False):
    """What was done; see catalogue.py."""

    category: Id
    action: Id


class Target(Struct, frozen=True, kw_only=True, gc=False):
    """What it was done to."""

    type: Id
    id: Id
    name: Text | UnsetType = UNSET


class Client(Struct, frozen=True, kw_only=True, gc=False):
    """Where it was done from."""

    ip: Address | UnsetType = UNSET
    user_agent: UserAgent | UnsetType = UNSET


class Data(Struct, frozen=True, kw_only=True, gc=False):
    """The `data` of an audit event."""

    actor: Actor
    action: Action
    target: Target | None
    description: Description | None
    metadata: dict[str, Any]
    outcome: Literal["success", "failure"]
    client: Client | UnsetType = UNSET


class CloudEvent(Struct, frozen=True, kw_only=True, gc=False):
    """One audit event. `time` is ISO 8601 in UTC with milliseconds and `Z`; `subject` is the target's id."""

    specversion: Literal["1.0"]
    id: Id
    source: Text
    type: Text
    time: Annotated[str, Meta(min_length=24, max_length=24)]
    subject: Text | UnsetType = UNSET
    datacontenttype: Literal["application/json"]
    data: Data
    workspaceid: Id
    organizationid: Id | UnsetType = UNSET


class Route(Struct, frozen=True, gc=False):
    """The part of an event that decides where it goes."""

    workspaceid: Id
    organizationid: Id | None = None


encode = msgspec.json.Encoder().encode
"""A `CloudEvent` in the minimal form: no space, no escape that JSON does not ask for, fields in order."""

decode = msgspec.json.Decoder(CloudEvent).decode
"""A `CloudEvent` from JSON; unknown members are dropped, so compare with `encode` before trusting the bytes."""

decode_route = msgspec.json.Decoder(Route).decode
"""Only what routing needs."""
