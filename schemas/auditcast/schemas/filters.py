"""The rules for what a destination gets of the events: which ones (selection.py), and which fields (redactions.py).

As in destinations.py, each function returns what a person wrote in its one form, or raises `InvalidDestination`.
"""

import difflib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.redactions import DROPPABLE, HASHABLE, METADATA

MAX_GLOBS = 50
MAX_GLOB = 256
MAX_FIELDS = 50
MAX_FIELD = 160
SHOWN = 60
"""Characters of what a person gave that an error repeats."""
OUTCOMES = ("success", "failure")

_WILD = ("*", "?", "[")


def checked_categories(globs: Sequence[str]) -> list[str]:
    """Patterns of categories, of which an event's must match one."""
    return _globs("category", globs)


def checked_actions(globs: Sequence[str]) -> list[str]:
    """Patterns of `category.action`, of which an event's must match one."""
    for glob in globs:
        if "." not in glob and not any(sign in glob for sign in _WILD):
            raise InvalidDestination(
                "action", f"{glob[:SHOWN]!r} lacks its category: write it as in team_member.invited, or *.invited"
            )
    return _globs("action", globs)


def checked_outcome(text: str) -> str:
    """The outcome that an event must have; empty: either."""
    if text and text not in OUTCOMES:
        raise InvalidDestination("outcome", f"{text[:40]!r} is none of {', '.join(OUTCOMES)}")
    return text


def checked_redaction(dropped: Iterable[str], hashed: Iterable[str]) -> tuple[list[str], list[str]]:
    """Fields that are left out, and fields that are hashed; none may be both, nor lie within one that is left out."""
    out, anew = sorted({*dropped}), sorted({*hashed})
    for field in out:
        _check_field("drop", field, DROPPABLE, "--hash" if field in HASHABLE else "")
    for field in anew:
        _check_field("hash", field, HASHABLE, "--drop" if field in DROPPABLE else "")
        for whole in (field, field.partition(".")[0]):
            if whole in out:
                raise InvalidDestination(
                    "hash", f"{field} cannot be hashed while {whole} is left out: choose one of the two"
                )
    if len(out) + len(anew) > MAX_FIELDS:
        raise InvalidDestination(
            "drop", f"{len(out) + len(anew)} fields are left out or hashed, at most {MAX_FIELDS} may be"
        )
    return out, anew


def check_kept(kept: Iterable[str], dropped: Iterable[str]) -> None:
    """Return if each of `kept` is a field that is shown again once it is none of `dropped` itself."""
    for field in kept:
        _check_field("keep", field, (*DROPPABLE, *HASHABLE), "")
        whole = field.partition(".")[0]
        if field != whole and whole in dropped:
            raise InvalidDestination(
                "keep", f"{field} is left out with all of {whole}: keep {whole}, and drop the rest"
            )


def covers(field: str, other: str) -> bool:
    """Whether `other` is `field`, or a part of it."""
    return other == field or other.startswith(f"{field}.")


def hints(categories: Sequence[str], actions: Sequence[str], catalogue: Catalogue) -> list[str]:
    """A sentence for each pattern that nothing of the catalogue matches: most often a misspelling, and no error."""
    known = {entry.category: None for entry in catalogue}
    full = [f"{entry.category}.{entry.action}" for entry in catalogue]
    found = [
        f"no category that is known here matches {glob!r}{_near(glob, known)}" for glob in _idle(categories, known)
    ]
    found += [f"no action that is known here matches {glob!r}{_near(glob, full)}" for glob in _idle(actions, full)]
    both = [name for name in full if _any(categories, name.partition(".")[0]) and _any(actions, name)]
    if categories and actions and not found and not both:
        found.append("no action that is known here matches both a --category and an --action, as it must")
    return found


def _globs(field: str, globs: Sequence[str]) -> list[str]:
    for glob in globs:
        if not glob or len(glob) > MAX_GLOB or not glob.isprintable() or glob != glob.strip():
            raise InvalidDestination(
                field, f"{glob[:SHOWN]!r} is no pattern: use 1 to {MAX_GLOB} characters, no space around them"
            )
    found = sorted({*globs})
    if len(found) > MAX_GLOBS:
        raise InvalidDestination(field, f"there are {len(found)} patterns, at most {MAX_GLOBS} are allowed")
    return found


def _check_field(doing: str, field: str, known: Sequence[str], instead: str) -> None:
    key = field.removeprefix(METADATA)
    if field in known or (key != field and key and len(field) <= MAX_FIELD and key.isprintable()):
        return
    if instead:
        can = "hashed" if instead == "--hash" else "left out"
        raise InvalidDestination(doing, f"{field} can only be {can}: use {instead}")
    near = difflib.get_close_matches(field, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)} and {METADATA}KEY"
    raise InvalidDestination(doing, f"{field[:SHOWN]!r} is no such field: {hint}")


def _idle(globs: Iterable[str], names: Iterable[str]) -> list[str]:
    return [glob for glob in globs if not any(fnmatchcase(name, glob) for name in names)]


def _any(globs: Sequence[str], name: str) -> bool:
    return not globs or any(fnmatchcase(name, glob) for glob in globs)


def _near(glob: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(glob, list(names), n=1)
    return f": did you mean {near[0]}?" if near else ""
