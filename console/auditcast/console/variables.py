"""Every environment variable of every component, found in the components' own settings."""

import importlib
import importlib.util
import pkgutil
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct

import auditcast
from auditcast.kafka.settings import Secret, unknown, variable

TESTS_ONLY = "AUDITCAST_TEST_"
"""What begins so is read by the project's own tests."""


class Variable(Struct, frozen=True, kw_only=True):
    """One environment variable. `default` is None where it must be set; `used_by` names components."""

    name: str
    type: str
    default: str | None
    used_by: list[str]
    meaning: str


def components() -> dict[str, list[type[Struct]]]:
    """The settings of each component that has any: the Structs of its module `settings`, or of a subpackage's."""
    found = {}
    for package in _packages():
        if importlib.util.find_spec(f"{package}.settings"):
            module = importlib.import_module(f"{package}.settings")
            found[package.rpartition(".")[2]] = list(_structs(module))
    return found


def _packages() -> Iterator[str]:
    """The stages, each before the subpackages that it has."""
    for stage in pkgutil.iter_modules(auditcast.__path__, "auditcast."):
        yield stage.name
        path = importlib.import_module(stage.name).__path__
        yield from (part.name for part in pkgutil.iter_modules(path, f"{stage.name}.") if part.ispkg)


def variables() -> list[Variable]:
    """All variables, sorted by name; those of the connection first, since nothing works without them."""
    found: dict[str, Variable] = {}
    for component, kinds in components().items():
        for kind in kinds:
            for variable_ in _of(kind, component):
                known = found.setdefault(variable_.name, variable_)
                if component not in known.used_by:
                    known.used_by.append(component)
    return sorted(found.values(), key=lambda each: ("kafka" not in each.used_by, each.name))


def misspelled(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each `AUDITCAST_…` in `environ` that nothing reads."""
    kinds = tuple(kind for kinds in components().values() for kind in kinds)
    return unknown(kinds, {name: "" for name in environ if not name.startswith(TESTS_ONLY)})


def _structs(module: types.ModuleType) -> Iterator[type[Struct]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Struct) and value.__module__ == module.__name__:
            yield value


def _of(kind: type[Struct], component: str) -> Iterator[Variable]:
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            yield from _of(field.type, component)
            continue
        yield Variable(
            name=variable(field.name),
            type=_type(field.type),
            default=_default(field.default),
            used_by=[component],
            meaning=" ".join(meta.description for meta in _metas(field.type) if meta.description),
        )


def _metas(kind: Any) -> list[Meta]:
    return list(get_args(kind)[1:]) if get_origin(kind) is Annotated else []


def _type(kind: Any) -> str:
    """As a person says it: `one of A, B`, `number from 1 to 9`, `list`, `secret`, `text`."""
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(plain) is Literal:
        return "one of " + ", ".join(get_args(plain))
    if plain in (int, float):
        low = next((meta.ge for meta in _metas(kind) if meta.ge is not None), None)
        high = next((meta.le for meta in _metas(kind) if meta.le is not None), None)
        return "number" + (f" from {low}" if low is not None else "") + (f" to {high}" if high is not None else "")
    names = {str: "text", bool: "true or false", Secret: "secret"}
    if plain in names:
        return names[plain]
    if get_origin(plain) is tuple:
        return "secrets" if get_args(plain)[0] is Secret else "list"
    raise TypeError(f"{plain} is no type of a setting")


def _default(value: Any) -> str | None:
    if value is NODEFAULT:
        return None
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
