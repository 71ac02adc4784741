"""Which categories and actions exist: the built-in ones of catalogue.toml and, on top, a platform's own."""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Self

from auditcast.schemas.errors import Misconfigured, UnknownAction

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Entry(NamedTuple):
    """One action of the catalogue, with the line that people read."""

    category: str
    action: str
    description: str


class Catalogue:
    """An immutable set of actions; `Catalogue.builtin()` unless a platform adds its own."""

    __slots__ = ("_categories", "_known")

    def __init__(self, categories: Mapping[str, Mapping[str, str]]) -> None:
        self._categories = {category: dict(actions) for category, actions in categories.items()}
        self._known = frozenset((entry.category, entry.action) for entry in self)

    @classmethod
    @cache
    def builtin(cls) -> Self:
        """What every platform has."""
        return cls(tomllib.loads((files("auditcast.schemas") / "catalogue.toml").read_text("utf-8")))

    @classmethod
    def with_file(cls, path: Path | str) -> Self:
        """The built-in catalogue and a platform's own TOML file of the same form; raises `Misconfigured`.

        The file may add categories, and actions to a built-in category; it cannot give a built-in action another line.
        """
        merged = {category: dict(actions) for category, actions in cls.builtin()._categories.items()}
        for entry in _own(Path(path)):
            actions = merged.setdefault(entry.category, {})
            if entry.action in actions:
                raise Misconfigured(f"{path}: {entry.category}.{entry.action} is built in already: remove it there")
            actions[entry.action] = entry.description
        return cls(merged)

    def check(self, category: str, action: str) -> None:
        """Return if the action exists; else raise `UnknownAction`, which names the nearest ones."""
        if (category, action) not in self._known:
            self._refuse(category, action)

    def __iter__(self) -> Iterator[Entry]:
        """Every action, categories and actions in the order of their files."""
        for category, actions in self._categories.items():
            for action, description in actions.items():
                yield Entry(category, action, description)

    def __len__(self) -> int:
        return len(self._known)

    def _refuse(self, category: str, action: str) -> NoReturn:
        category, action = category[:80], action[:80]
        actions = self._categories.get(category)
        if actions is None:
            raise UnknownAction("category", f"{category!r} is unknown, {_nearest(category, self._categories)}")
        raise UnknownAction("action", f"{action!r} is unknown in {category}, {_nearest(action, actions)}")


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=3)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(known)}"


def _own(path: Path) -> Iterator[Entry]:
    """The entries of a platform's file, checked."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise Misconfigured(f"{path}: is not valid TOML: {error}") from None
    for category, actions in tables.items():
        _check_name(path, category)
        if not isinstance(actions, dict) or not actions:
            raise Misconfigured(f'{path}: {category} is no category: write [{category}] and lines like created = "…"')
        for action, description in actions.items():
            _check_name(path, action)
            if not isinstance(description, str) or not description.strip() or "\n" in description:
                raise Misconfigured(f"{path}: {category}.{action} must be described by one line of text")
            yield Entry(category, action, description)


def _check_name(path: Path, name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise Misconfigured(
            f"{path}: {name!r} is no name: use lower-case letters, digits and _, a letter first, at most 64"
        )
