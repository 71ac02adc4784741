"""Keeps destinations in line with what is known of their workspaces, whoever changes either at the same moment.

Whoever writes a workspace looks at the destinations afterwards, and whoever writes whether a destination is entitled
looks at the workspaces afterwards, and does so again until nothing is left to change. Of two that write at the same
moment the later one sees what the other wrote, so the last word is right.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from auditcast.console import surveys
from auditcast.console.entitlement import Known, check_entitled, check_room, in_line, neighbours
from auditcast.console.registry import Registry
from auditcast.console.revisions import deleted, enabled
from auditcast.kafka.settings import Connection
from auditcast.schemas.records import Revision

YIELD_S = 3.0
"""How long the earlier of two that have added one destination too many waits for the later one to take its own back."""

STEP_S = 0.2


class Settled(Struct, frozen=True):
    """What is known, all destinations that were not deleted, and those of them that were changed."""

    known: Known
    destinations: list[Revision]
    changed: list[Revision]


@contextmanager
def knowledge(connection: Connection) -> Iterator[Callable[[], Known]]:
    """Gives a function that tells what is known of workspaces as of each call."""
    with surveys.of_workspaces(connection) as survey:
        yield lambda: Known(survey.look(), survey.unreadable)


def settle(connection: Connection) -> Settled:
    """Bring every destination in line; to be called after a workspace was written."""
    with knowledge(connection) as look, Registry(connection) as registry:
        changed: dict[str, Revision] = {}
        while written := _lined_up(registry, known := look()):
            changed |= {each.destination: each for each in written}
        alive = [each for each in registry.all() if each.state != "deleted"]
    return Settled(known, alive, [revision for _, revision in sorted(changed.items())])


def added(registry: Registry, wanted: Revision, again: Callable[[Revision], Revision], limit: int) -> Revision:
    """Add `wanted`, or give what `again` makes of the destination that is there already under its id.

    Raises `NotEntitled`, `NoRoom` (of more than `limit`; 0: any number), and what `again` raises, without effect.
    """
    with knowledge(registry.connection) as look:
        known = look()

        def first(newest: Revision | None) -> Revision:
            if newest is not None:
                return again(newest)
            check_entitled(wanted, known)
            check_room(wanted, registry.all(), limit)
            return wanted

        changed = registry.change(wanted.destination, first)
        if not changed.written or changed.revision.secret != wanted.secret:
            return changed.revision
        if limit:
            _keep_room(registry, changed.revision, limit)
        while changed.written:
            changed = registry.change(wanted.destination, _lining(changed.revision, look()))
        return changed.revision


def enabling(connection: Connection) -> Callable[[Revision], Revision]:
    """`revisions.enabled` for a destination that is entitled; raises `NotEntitled` for any other."""
    with knowledge(connection) as look:
        known = look()

    def change(revision: Revision) -> Revision:
        check_entitled(revision, known)
        return enabled(revision)

    return change


def _lined_up(registry: Registry, known: Known) -> list[Revision]:
    """Bring all destinations in line with `known`; those that were not."""
    done = [registry.change(each.destination, _lining(each, known)) for each in registry.all()]
    return [each.revision for each in done if each.written]


def _lining(seen: Revision, known: Known) -> Callable[[Revision | None], Revision]:
    return lambda newest: in_line(newest or seen, known)


def _keep_room(registry: Registry, ours: Revision, limit: int) -> None:
    """Delete `ours` and raise `NoRoom` if another console has added one too many at the same moment.

    The later one takes its own back. If the other one does not, because it has not seen ours, the earlier one does: so
    the limit holds whatever clocks say.
    """
    with surveys.of_destinations(registry.connection) as survey:
        deadline = time.monotonic() + YIELD_S
        while True:
            found = neighbours(ours, survey.look().values())
            if len(found) <= limit:
                return
            late = ours.destination not in {each.destination for each in found[:limit]}
            if late or time.monotonic() > deadline:
                break
            survey.wait(STEP_S)
    registry.change(ours.destination, lambda newest: deleted(newest or ours))
    check_room(ours, found, limit)
