"""Audit events that the system itself sends to a destination, beside those of the platform: tests, and manifests."""

from collections.abc import Mapping
from typing import Any

from auditcast.schemas.attributes import source_of, time_text, type_of
from auditcast.schemas.events import Action, Actor, CloudEvent, Data
from auditcast.schemas.records import Revision

CATEGORY = "auditcast"


def own_event(  # noqa: PLR0913  (what such an event is made of)
    revision: Revision,
    *,
    identity: str,
    action: str,
    at: int,
    workspace: str,
    description: str,
    metadata: Mapping[str, Any],
) -> CloudEvent:
    """An event for the destination of `revision`, at `at` (ms); `workspace` stands for that of an organization's."""
    where = revision.workspace or workspace
    return CloudEvent(
        specversion="1.0",
        id=identity,
        source=source_of(revision.base_url, where),
        type=type_of(revision.type_prefix, CATEGORY, action),
        time=time_text(at),
        datacontenttype="application/json",
        data=Data(
            actor=Actor(id="auditcast", type="system"),
            action=Action(category=CATEGORY, action=action),
            target=None,
            description=description,
            metadata=dict(metadata),
            outcome="success",
        ),
        workspaceid=where,
        **({"organizationid": revision.organization} if revision.organization else {}),
    )
