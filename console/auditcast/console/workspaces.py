"""What is known of workspaces: the topic `audit.workspaces` (see book.py), and what a person makes of a record."""

from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from auditcast.console.book import Book, nearest
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Workspace
from auditcast.schemas.workspaces import (
    checked_name,
    checked_organization,
    checked_owners,
    checked_plan,
    checked_slug,
    checked_url,
    checked_workspace,
    forwards,
)


class UnknownWorkspace(AuditcastError):
    """Nothing is known of a workspace of this id."""


class Said(Struct, frozen=True, kw_only=True):
    """What a person says of a workspace, unchecked. UNSET leaves it as it is, an empty text removes it.

    `owners` are addresses to be added, `no_owners` to be removed.
    """

    name: str | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    url: str | UnsetType = UNSET
    organization: str | UnsetType = UNSET
    plan: str | UnsetType = UNSET
    owners: Sequence[str] = ()
    no_owners: Sequence[str] = ()


class Workspaces(Book[Workspace]):
    """All workspaces of which anything is known."""

    def __init__(self, connection: Connection, timeout: float = clients.ANSWER_S) -> None:
        """`timeout` in seconds bounds each wait for the broker."""
        topic = Topics(connection.topic_prefix).workspaces
        super().__init__(connection, topic, Workspace, lambda workspace: workspace.workspace, timeout)


def described(newest: Workspace | None, id_: str, said: Said, entitled_plans: Sequence[str], now: int) -> Workspace:
    """What is known of workspace `id_` from `now` (ms) on; the very record given if that is nothing new.

    Raises `InvalidWorkspace`. Number, nonce and time are the book's to set.
    """
    known = newest or Workspace(workspace=checked_workspace(id_), number=0, nonce="", changed_at=0, since=now)
    fields: dict[str, object] = {}
    if said.name is not UNSET:
        fields["name"] = checked_name(said.name)
    if said.slug is not UNSET:
        fields["slug"] = checked_slug(said.slug)
    if said.url is not UNSET:
        fields["url"] = checked_url(said.url)
    if said.organization is not UNSET:
        fields["organization"] = checked_organization(said.organization)
    if said.plan is not UNSET:
        fields["plan"] = checked_plan(said.plan)
    if said.owners or said.no_owners:
        removed = {address.lower() for address in said.no_owners}
        kept = [address for address in known.owners if address.lower() not in removed]
        fields["owners"] = checked_owners([*kept, *said.owners])
    wanted = judged(replace(known, **fields), entitled_plans, now)
    return newest if newest is not None and wanted == newest else wanted


def judged(workspace: Workspace, entitled_plans: Sequence[str], now: int) -> Workspace:
    """`workspace`, entitled as its plan has it; the very one given if it is so already."""
    entitled = forwards(workspace.plan, entitled_plans)
    return workspace if entitled == workspace.entitled else replace(workspace, entitled=entitled, since=now)


def missing(id_: str, known: Sequence[str]) -> UnknownWorkspace:
    """The error about an id of which nothing is known."""
    hint = nearest(id_, known, "auditcast workspaces list")
    return UnknownWorkspace(f"nothing is known of a workspace {id_!r}: {hint}")
