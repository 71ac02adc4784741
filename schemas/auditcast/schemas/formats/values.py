"""Facts about an event's values that several receivers' schemas ask for."""

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from msgspec import UNSET


class Effect(Enum):
    """What an action does to its target."""

    OTHER = 99
    CREATE = 1
    READ = 2
    UPDATE = 3
    DELETE = 4


_VERBS = {
    Effect.CREATE: "added assigned created imported invited opened registered uploaded",
    Effect.READ: "accessed downloaded exported listed queried read viewed",
    Effect.UPDATE: "changed disabled downgraded edited enabled merged modified moved renamed renewed replaced updated"
    " upgraded",
    Effect.DELETE: "deleted purged removed revoked",
}
_EFFECTS = {verb: kind for kind, verbs in _VERBS.items() for verb in verbs.split()}


def effect(action: str) -> Effect:
    """By the verb with which the action's name ends, as in `slug_changed`."""
    return _EFFECTS.get(action.rpartition("_")[2], Effect.OTHER)


@lru_cache(maxsize=4096)
def is_ip(text: str) -> bool:
    """Whether `text` is an IP address, without a zone."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """Without the members that have no value."""
    return {name: value for name, value in members.items() if value is not UNSET and value is not None}


@lru_cache(maxsize=4096)
def host(source: str) -> str:
    """The host of a URL; anything else as it is."""
    try:
        return urlsplit(source).hostname or source
    except ValueError:
        return source
