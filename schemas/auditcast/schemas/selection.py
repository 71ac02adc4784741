"""Which events of its workspace or organization a destination wants."""

import re
from collections.abc import Callable, Sequence
from fnmatch import translate
from functools import lru_cache

from auditcast.schemas.events import CloudEvent
from auditcast.schemas.records import Revision

Selection = Callable[[CloudEvent], bool]


def selection(revision: Revision) -> Selection | None:
    """Whether an event is wanted; None if every one is, which is the usual case and costs nothing."""
    if not (revision.categories or revision.actions or revision.outcome):
        return None
    categories, actions = _matching(tuple(revision.categories)), _matching(tuple(revision.actions))
    outcome = revision.outcome

    def wanted(event: CloudEvent) -> bool:
        action = event.data.action
        return (
            (not outcome or event.data.outcome == outcome)
            and (categories is None or categories.match(action.category) is not None)
            and (actions is None or actions.match(f"{action.category}.{action.action}") is not None)
        )

    return wanted


@lru_cache(maxsize=4096)
def _matching(globs: Sequence[str]) -> re.Pattern[str] | None:
    """All of `globs` as one pattern; Python's translation of a glob never backtracks."""
    return re.compile("|".join(translate(glob) for glob in globs)) if globs else None
