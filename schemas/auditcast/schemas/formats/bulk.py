"""What an answer to `_bulk` says of each document."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
from msgspec import UNSET, Struct, UnsetType

from auditcast.schemas.formats.base import TAKEN, Judgement, Span

_NAME = re.compile("[a-z][a-z_]{0,63}")
_SETTINGS = frozenset({401, 403, 404})
"""A key without the right, a blocked or missing index: nothing about the document, and people mend it."""


class _Error(Struct):
    type: str = ""


class _Result(Struct):
    status: int
    error: _Error | UnsetType = UNSET


class _Item(Struct):
    create: _Result


class _Answer(Struct):
    errors: bool
    items: list[_Item] | UnsetType = UNSET


_answer = msgspec.json.Decoder(_Answer).decode

_NO_ERRORS = re.compile(rb'\{(?:"(?:took|ingest_took)":[0-9]{1,18},)*"errors":false,')
"""How an answer begins if every document was taken: of a long one only the beginning may be there."""


def judged(answer: bytes, events: int) -> Judgement | None:
    """What became of `events` documents; None if the answer does not say so of all of them.

    One that is there already (409) was taken before. Too many requests, a failed server and missing rights end; any
    other refusal is of the document. `items` may be left out by a URL with `filter_path`, if there were no errors.
    """
    try:
        said = _answer(answer)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):
        return TAKEN if _NO_ERRORS.match(answer) else None
    if said.items is UNSET:
        return None if said.errors else TAKEN
    if len(said.items) != events:
        return None
    results = [item.create for item in said.items]
    fates = [_fate(result.status) for result in results]
    if not any(fates):
        return TAKEN
    return Judgement(_spans(fates, "again"), _spans(fates, "never"), _detail(results))


def _fate(status: int) -> str:
    """`again`, `never`, or nothing for a document that was taken."""
    if 200 <= status < 300 or status == 409:
        return ""
    return "never" if 400 <= status < 500 and status != 429 and status not in _SETTINGS else "again"


def _spans(fates: Sequence[str], fate: str) -> tuple[Span, ...]:
    return tuple(_runs(fates, fate))


def _runs(fates: Sequence[str], fate: str) -> Iterator[Span]:
    first = 0
    for value, run in groupby(fates):
        last = first + len(list(run)) - 1
        if value == fate:
            yield first, last
        first = last + 1


def _detail(results: Sequence[_Result]) -> str:
    """How many documents were refused, and why; reasons are left out, since they quote the document."""
    refused = Counter(_why(result) for result in results if _fate(result.status))
    reasons = ", ".join(f"{why}: {count}" for why, count in sorted(refused.items())[:5])
    return f"{refused.total()} of {len(results)} documents were refused ({reasons})"


def _why(result: _Result) -> str:
    kind = UNSET if result.error is UNSET else result.error.type
    return f"{result.status} {kind}" if kind and _NAME.fullmatch(kind) else str(result.status)
