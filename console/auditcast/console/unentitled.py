"""Since when, and because of which plans, destinations are not entitled: for people, and as JSON for scripts."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from auditcast.console.entitling import knowledge
from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.console.statuses import LeftOut
from auditcast.kafka.settings import Connection
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision


class Unentitled(Struct, frozen=True):
    """The plans that forward nothing, and since when (ms) they are those of a destination; None if not known."""

    since: int | None
    plans: list[str]

    def __str__(self) -> str:
        since = "" if self.since is None else f" since {second_text(self.since)}"
        plans = f": plan {printable(' and '.join(self.plans))}" if self.plans else ""
        return f"not entitled{since}{plans}"


def unentitled(connection: Connection, revisions: Iterable[Revision]) -> dict[str, Unentitled]:
    """By destination, of those among `revisions` that are not entitled; reads nothing if there are none."""
    found = [each for each in revisions if not each.entitled and each.state != "deleted"]
    if not found:
        return {}
    with knowledge(connection) as look:
        known = look()
    return {each.destination: Unentitled(known.since(each), known.plans(each)) for each in found}


def unentitled_shape(stopped: Unentitled | None) -> dict[str, Any] | None:
    """The same as JSON has it; null for a destination that is entitled."""
    if stopped is None:
        return None
    return {"since": None if stopped.since is None else time_text(stopped.since), "plans": stopped.plans}


def missed(stopped: Unentitled, left_out: LeftOut) -> str:
    """Why nothing is collected, and how much was not."""
    return f"{stopped}; {left_out.events:,} events not collected" if left_out.events else str(stopped)
