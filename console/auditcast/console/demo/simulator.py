"""A platform in miniature: organizations with workspaces and people, in which audit events of all categories happen.

Everything follows from the seed. No clock, no I/O.
"""

import random
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from auditcast.schemas.catalogue import Catalogue

_PEOPLE = ("Ada", "Barbara", "Grace", "Hedy", "Ken", "Linus", "Margaret", "Radia")
_NOUNS = ("atlas", "beacon", "copper", "delta", "ember", "falcon", "granite", "harbor")
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64)", "atmos-cli/1.14.2", "terraform-provider/0.9.1", "curl/8.10.1")
_TARGETS = {
    "workspace": "workspace",
    "team_member": "user",
    "github": "repository",
    "permission": "permission",
    "schedule": "schedule",
    "workflow": "workflow_run",
    "pull_request": "pull_request",
    "release": "release",
    "instance": "instance",
    "lock": "lock",
    "auth": None,
    "billing": "subscription",
    "entitlement": "plan",
}
"""What an action of a category is done to; None: to nothing that has an id."""


class Workspace(Struct, frozen=True):
    """A customer's workspace, in an organization or on its own."""

    id: str
    organization: str | None


class Scope(Struct, frozen=True, kw_only=True):
    """Whose events a destination gets, a workspace's or an organization's, and its window."""

    name: str
    workspace: str | None = None
    organization: str | None = None
    window_events: int = 100
    window_seconds: int = 4


def scopes(places: Sequence[Workspace]) -> list[Scope]:
    """What customers would add for these: two destinations for the first workspace, one for others, one organization.

    The windows are short, so that a person who watches sees something move.
    """
    found = [Scope(name=f"{place.id} / SIEM", workspace=place.id) for place in places]
    found += [
        Scope(name=f"{place.id} / archive", workspace=place.id, window_events=20, window_seconds=3)
        for place in places[:1]
    ]
    organizations = [place.organization for place in places if place.organization is not None]
    return found + [
        Scope(name=f"{name} / all of it", organization=name, window_seconds=5) for name in organizations[:1]
    ]


def workspaces(organizations: int, each: int, alone: int) -> list[Workspace]:
    """`organizations` with `each` workspaces, and some `alone`; always the same ids."""
    owned = [
        Workspace(f"ws_{_NOUNS[o % 8]}_{n}", f"org_{_NOUNS[o % 8]}") for o in range(organizations) for n in range(each)
    ]
    return owned + [Workspace(f"ws_solo_{n}", None) for n in range(alone)]


class Platform:
    """Makes one event after the other, each as the arguments of `AuditLog.emit`."""

    def __init__(self, seed: int, places: Sequence[Workspace], catalogue: Catalogue) -> None:
        self._random = random.Random(seed)  # noqa: S311  (made-up people need no secrets)
        self._places = places
        # Every action in turn, so that none waits for luck, in an order that looks like life.
        self._actions = [(entry.category, entry.action) for entry in catalogue]
        self._random.shuffle(self._actions)

    def events(self) -> Iterator[dict[str, Any]]:
        """Events without end; some workspaces are busier than others."""
        weights = [1 / (rank + 1) for rank in range(len(self._places))]
        for category, action in self._rounds():
            [place] = self._random.choices(self._places, weights)
            yield self._event(place, category, action)

    def _rounds(self) -> Iterator[tuple[str, str]]:
        while True:
            yield from self._actions

    def _event(self, place: Workspace, category: str, action: str) -> dict[str, Any]:
        failed = action.endswith(("failed", "failure"))
        event: dict[str, Any] = {
            "workspace": place.id,
            "category": category,
            "action": action,
            "actor": self._actor(),
            "outcome": "failure" if failed else "success",
            "metadata": self._metadata(category),
            "ip": f"203.0.113.{self._random.randrange(1, 255)}",
            "user_agent": self._random.choice(_AGENTS),
        }
        if place.organization is not None:
            event["organization"] = place.organization
        kind = _TARGETS.get(category, category)
        if kind is not None:
            name = self._random.choice(_NOUNS)
            event["target"] = {"type": kind, "id": f"{kind}_{self._random.randrange(16**6):06x}", "name": name}
            event["description"] = f"{kind.replace('_', ' ').capitalize()} {name}: {action.replace('_', ' ')}"
        return event

    def _actor(self) -> dict[str, str]:
        if self._random.random() < 0.2:
            return {"id": f"svc_{self._random.choice(_NOUNS)}", "type": "service"}
        name = self._random.choice(_PEOPLE)
        return {"id": f"usr_{name.lower()}", "type": "user", "email": f"{name.lower()}@example.com", "name": name}

    def _metadata(self, category: str) -> dict[str, Any]:
        metadata: dict[str, Any] = {"request_id": f"req_{self._random.randrange(16**12):012x}"}
        if category in {"workflow", "pull_request", "release"}:
            metadata |= {"branch": "main", "commit": f"{self._random.randrange(16**10):010x}"}
        if category == "instance":
            metadata |= {"stack": "plat-ue2-prod", "drifted": self._random.random() < 0.5}
        if category == "team_member":
            metadata |= {"roles": {"before": ["viewer"], "after": ["viewer", "admin"]}}
        return metadata
