"""Who did it, and what it was done to: for services that prefer a type to a dict."""

from msgspec import Struct

from auditcast.schemas.events import Id, Text


class Actor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who did it, as in `Actor(id="usr_1", type="user", email="ann@example.com")`."""

    id: Id
    type: Id
    email: Text | None = None
    name: Text | None = None


class Target(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What it was done to, as in `Target(type="workspace", id="ws_1")`."""

    type: Id
    id: Id
    name: Text | None = None
