"""What of some dead letters can be sent again, in which order, and why the rest cannot. No I/O."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from auditcast.console.letter_errand import item_of
from auditcast.console.letters import Letter
from auditcast.console.replaying import Item
from auditcast.console.telling import is_gone
from auditcast.schemas.records import Revision

RevisionOf = Callable[[str], Revision | None]
"""The newest revision of a destination, if there is any."""


class Plan(Struct, frozen=True):
    """`items` go to destinations, `again` into the topics that they came from; `refused` letters by the reason."""

    items: list[Item]
    again: list[Letter]
    refused: dict[str, list[Letter]]


def planned(letters: Iterable[Letter], revision_of: RevisionOf) -> Plan:
    """What is to be done with `letters`."""
    plan = Plan([], [], {})
    refusals: dict[str, str] = {}
    for letter in sorted(letters, key=lambda letter: letter.order):
        why = letter.hindrance
        if not why and letter.destination is not None:
            if letter.destination not in refusals:
                refusals[letter.destination] = refusal(letter.destination, revision_of(letter.destination))
            why = refusals[letter.destination]
        if why:
            plan.refused.setdefault(why, []).append(letter)
        elif letter.destination is None:
            plan.again.append(letter)
        else:
            plan.items.append(item_of(letter))
    return plan


def refusal(destination: str, revision: Revision | None) -> str:
    """Why nothing can be sent to a destination again; empty if it can."""
    if revision is None:
        return f"{destination} is not known any more"
    if revision.state == "deleted":
        return f"{destination} was deleted"
    if is_gone(revision):
        return f"{destination} answered 410 (gone): enable it first, 'auditcast destinations enable {destination}'"
    if revision.paused:
        return f"{destination} is paused: resume it first, 'auditcast destinations resume {destination}'"
    return ""
