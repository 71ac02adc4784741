"""The sealing of all destinations with the newest key, one after the other: each is a change of its own.

So it may be interrupted and repeated, and other changes made meanwhile are not lost.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from auditcast.console.registry import Registry, UnknownDestination
from auditcast.console.sealed import resealed
from auditcast.schemas.errors import WrongSealingKey
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import Sealer

Watch = Callable[[Sequence[Revision]], Iterable[Revision]]
"""Passes on what it is given, showing how far it is."""


class Unopened(Struct, frozen=True):
    """A destination that cannot be opened with any of the keys, and why."""

    destination: str
    deleted: bool
    problem: str


class Rotated(Struct, frozen=True):
    """What became of the destinations; the ids of those that are sealed anew."""

    resealed: list[str]
    current: int
    unopened: list[Unopened]

    @property
    def complete(self) -> bool:
        """Whether all that may still be changed is sealed with the newest key."""
        return all(each.deleted for each in self.unopened)


def rotate(registry: Registry, keys: Sequence[str], watch: Watch) -> Rotated:
    """Seal everything with the first of `keys`; raises `BrokerUnavailable`, and then what is done is done."""
    sealer, newest = Sealer(keys), Sealer(keys[:1])
    done: list[str] = []
    unopened: list[Unopened] = []
    current = 0

    def change(held: Revision | None) -> Revision:
        if held is None:
            raise UnknownDestination("the destination has vanished from the topic: see who wrote it anew")
        return resealed(held, sealer, newest)

    for revision in watch(registry.all()):
        try:
            changed = registry.change(revision.destination, change)
        except WrongSealingKey as error:
            unopened.append(Unopened(revision.destination, revision.state == "deleted", str(error)))
        else:
            current += not changed.written
            done += [revision.destination] if changed.written else []
    return Rotated(done, current, unopened)
