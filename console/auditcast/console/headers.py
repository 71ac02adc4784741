"""Custom headers as a person gives them: on the command line, from environment variables, or in a file.

The latter two keep credentials out of the list of processes and of the shell's history. No error repeats a value.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from auditcast.schemas.errors import InvalidDestination


def given_headers(
    lines: Iterable[str], from_env: Iterable[str], files: Iterable[Path], environ: Mapping[str, str]
) -> list[tuple[str, str]]:
    """All headers, (name, value) each: `Name: value`, `Name=VARIABLE`, files of lines `Name: value`."""
    found = [_split(line, "--header", number) for number, line in enumerate(lines, 1)]
    found += [_of_variable(text, environ, number) for number, text in enumerate(from_env, 1)]
    for path in files:
        found += _of_file(path)
    return found


def _split(line: str, where: str, number: int) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise InvalidDestination("headers", f"number {number} of {where} has no colon: write it as 'Name: value'")
    return name, value.strip(" \t")


def _of_variable(text: str, environ: Mapping[str, str], number: int) -> tuple[str, str]:
    name, equals, variable = text.partition("=")
    if not equals:
        raise InvalidDestination(
            "headers", f"number {number} of --header-from-env has no equals sign: write it as NAME=VARIABLE"
        )
    if variable not in environ:
        # What stands here may be the value itself, given by mistake: it is not repeated.
        raise InvalidDestination("headers", f"the environment variable named for {name} is not set: export it first")
    return name, environ[variable]


def _of_file(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidDestination("headers", f"{path} cannot be read: {reason}") from None
    return [_split(line.removesuffix("\r"), str(path), at) for at, line in enumerate(lines, 1) if line.strip()]
