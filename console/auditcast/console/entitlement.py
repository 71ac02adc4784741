"""Which destinations are entitled, and how many there may be: pure functions of what is known.

A workspace is entitled unless its record says that its plan forwards nothing; an organization while one of its
workspaces is, or none of them is known. The records decide, not the setting: so all consoles come to the same.
"""

import shlex
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision, Workspace


class NotEntitled(AuditcastError):
    """The plan of a destination's workspace does not forward audit events."""


class Unknowable(AuditcastError):
    """What is known of a workspace cannot be read here."""


class NoRoom(AuditcastError):
    """The workspace has as many destinations as it may have."""


class Known(Struct, frozen=True):
    """What is known of workspaces, by their ids; the records of the `unreadable` ones cannot be read."""

    workspaces: Mapping[str, Workspace]
    unreadable: Collection[str] = ()

    def of(self, revision: Revision) -> list[Workspace]:
        """Those whose plans decide about a destination, in the order of their ids."""
        if revision.workspace is not None:
            found = self.workspaces.get(revision.workspace)
            return [] if found is None else [found]
        return [each for _, each in sorted(self.workspaces.items()) if each.organization == revision.organization]

    def entitled(self, revision: Revision) -> bool | None:
        """Whether events are to be forwarded to a destination; None if what decides it cannot be read."""
        found = self.of(revision)
        if revision.workspace is not None:
            doubtful = revision.workspace in self.unreadable
        else:
            doubtful = bool(self.unreadable) and not any(each.entitled for each in found)
        return None if doubtful else not found or any(each.entitled for each in found)

    def since(self, revision: Revision) -> int | None:
        """Since when (ms) a destination that is not entitled is not; None if that is not known."""
        return max((each.since for each in self.of(revision) if not each.entitled), default=0) or None

    def plans(self, revision: Revision) -> list[str]:
        """The plans that do not forward, each once."""
        return sorted({each.plan for each in self.of(revision) if not each.entitled and each.plan})


def in_line(revision: Revision, known: Known) -> Revision:
    """`revision`, entitled or not as it should be; the very one given if it is so, was deleted, or cannot be told."""
    entitled = known.entitled(revision)
    if revision.state == "deleted" or entitled is None or entitled == revision.entitled:
        return revision
    return replace(revision, entitled=entitled)


def check_entitled(revision: Revision, known: Known) -> None:
    """Raise `NotEntitled`, or `Unknowable`, unless the destination may collect events."""
    entitled = known.entitled(revision)
    if entitled is None:
        what = f"of workspace {revision.workspace}" if revision.workspace else "of some workspaces"
        raise Unknowable(f"what is known {what} cannot be read: upgrade auditcast, or see who wrote it")
    if not entitled:
        raise NotEntitled(f"{reason(revision, known)}: {remedy(revision, known)}")


def reason(revision: Revision, known: Known) -> str:
    """Why a destination is not entitled, as the beginning of a sentence."""
    plans = " and ".join(known.plans(revision)) or "?"
    if revision.workspace is not None:
        return f"workspace {revision.workspace} is on the plan {plans}, which does not forward audit events"
    return f"organization {revision.organization} has no workspace on a plan that forwards audit events, only {plans}"


def remedy(revision: Revision, known: Known) -> str:
    """Who can change that, and how, as the end of a sentence."""
    found = known.of(revision)
    owners = sorted({owner for each in found for owner in each.owners})
    named = f" ({', '.join(owners[:3])}{', …' if len(owners) > 3 else ''})" if owners else ""
    workspace = shlex.quote(found[0].workspace) if len(found) == 1 else "WORKSPACE"
    command = f"auditcast workspaces set {workspace} --plan PLAN"
    return f"its owners{named} can change the plan, and an operator then records it with '{command}'"


def check_room(wanted: Revision, destinations: Iterable[Revision], limit: int) -> None:
    """Raise `NoRoom` if `wanted` would be one more than the `limit` (0: none) of its workspace or organization."""
    others = [each for each in neighbours(wanted, destinations) if each.destination != wanted.destination]
    if limit and len(others) >= limit:
        whose = f"workspace {wanted.workspace}" if wanted.workspace else f"organization {wanted.organization}"
        raise NoRoom(
            f"{whose} has {len(others)} destinations, and may have {limit}: delete one, or have the operator raise"
            " AUDITCAST_DESTINATIONS_PER_WORKSPACE"
        )


def neighbours(wanted: Revision, destinations: Iterable[Revision]) -> list[Revision]:
    """The destinations of the same workspace, or organization, that were not deleted; the earliest first."""
    scope = (wanted.workspace, wanted.organization)
    found = [each for each in destinations if (each.workspace, each.organization) == scope and each.state != "deleted"]
    return sorted(found, key=lambda each: (each.changed_at, each.destination))
