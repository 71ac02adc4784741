"""Files, folders and standard input, read piece by piece: never more than one line, or one body, at a time."""

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import IO

from auditcast.console.verifying.items import Ignored, Item, Request, Unreadable
from auditcast.console.verifying.shapes import Spot, is_json, items_in, items_in_body, joined
from auditcast.schemas.errors import AuditcastError

MOST_LINE = 64 * 1024 * 1024
"""The longest line, and the largest file with one body: many times what the platform sends."""

MOST_DOCUMENT = 256 * 1024 * 1024
"""The largest file that is one JSON document over many lines."""

MOST_HEADERS = 1024 * 1024
STANDARD_INPUT = "-"

_LINES = {".json", ".jsonl", ".ndjson", ".log", ".gz", ""}
"""Suffixes of files in a folder that are read line by line."""

_PACKED = b"\x1f\x8b"
_OPENING = re.compile(rb"\s*[\[{](.*[\[{,])?\s*", re.DOTALL)
"""The first line of a JSON document that goes on."""


class CannotRead(AuditcastError):
    """A path that was given is of no use."""


def read(path: str, kind: str = "") -> Iterator[Item]:
    """Everything at a path, `-` being standard input; `kind` as in shapes.py. Raises `CannotRead`."""
    if path == STANDARD_INPUT:
        yield from _stream(sys.stdin.buffer, "standard input", kind)
    elif Path(path).is_dir():
        yield from _folder(Path(path), kind)
    else:
        try:
            yield from _file(Path(path), kind)
        except OSError as problem:
            raise CannotRead(f"{path} cannot be read: {(problem.strerror or 'it is damaged').lower()}") from None


def _folder(folder: Path, kind: str) -> Iterator[Item]:
    """Deliveries as pairs of files; any other file as its name says."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        try:
            if path.suffix == ".body":
                yield from _delivery(path)
            elif path.suffix == ".headers":
                if not path.with_suffix(".body").exists():
                    yield Unreadable(str(path), "the body beside it is missing")
            elif path.suffix in _LINES:
                yield from _file(path, kind)
            else:
                yield Ignored(str(path))
        except OSError as problem:
            yield Unreadable(str(path), (problem.strerror or "it is damaged").lower())


def _delivery(path: Path) -> Iterator[Item]:
    with path.open("rb") as file:
        body = file.read(MOST_LINE + 1)
    if len(body) > MOST_LINE:
        yield Unreadable(str(path), "it is too large for a body")
        return
    headers = path.with_suffix(".headers")
    if headers.exists():
        yield Request(_headers(headers), body, str(path))
    else:
        yield from items_in_body(body, Spot(str(path)))


def _headers(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        text = file.read(MOST_HEADERS).decode("utf-8", "replace")
    found: dict[str, list[str]] = {}
    for line in text.split("\n"):
        name, colon, value = line.partition(":")
        if colon and " " not in name.strip():  # else it is the request's first line
            found.setdefault(name.strip().lower(), []).append(value.strip())
    return joined(found)


def _file(path: Path, kind: str) -> Iterator[Item]:
    with path.open("rb") as file:
        packed = file.read(2) == _PACKED
        file.seek(0)
        if not packed:
            yield from _stream(file, str(path), kind)
            return
        try:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield from _stream(unpacked, str(path), kind)
        except (OSError, EOFError, zlib.error):
            yield Unreadable(str(path), "the rest cannot be unpacked")


def _stream(file: "IO[bytes] | gzip.GzipFile", name: str, kind: str) -> Iterator[Item]:
    """JSON lines, or one JSON document."""
    first = file.readline(MOST_LINE + 1).removeprefix(b"\xef\xbb\xbf")
    lines = chain([first], iter(lambda: file.readline(MOST_LINE + 1), b""))
    if _OPENING.fullmatch(first):
        document = first + file.read(MOST_DOCUMENT + 1)
        if len(document) > MOST_DOCUMENT:
            yield Unreadable(name, "it is too large for one document: make JSON lines of it, as with jq -c '.[]'")
            return
        if is_json(document):
            yield from items_in(document, Spot(name, kind))
            return
        # Its first line was torn, and the others may be sound.
        lines = chain(io.BytesIO(document))
    for number, line in enumerate(lines, 1):
        if len(line) > MOST_LINE:
            yield Unreadable(f"{name}:{number}", "the line is too long, and the rest of the file was not read")
            return
        if line.strip():
            yield from items_in(line, Spot(f"{name}:{number}", kind, ordered=True))
