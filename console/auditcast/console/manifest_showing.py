"""How manifests are shown to people, and as JSON (docs/reconciling.md)."""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct
from rich.table import Table

from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.schemas.records import Manifest, Note


class Summary(Struct):
    """What the manifests of one stream say together; times in ms."""

    stream: str
    since: int
    until: int = 0
    manifests: int = 0
    batches: int = 0
    events: int = 0
    notes: int = 0
    final: bool = False

    def add(self, manifest: Manifest) -> None:
        """The next one of the stream."""
        self.until, self.final = manifest.until, manifest.final
        self.manifests += 1
        self.batches += manifest.last_sequence - manifest.first_sequence + 1
        self.events += manifest.last_event - manifest.first_event + 1
        self.notes += len(manifest.notes)


def summed(found: Iterable[Manifest]) -> list[Summary]:
    """One summary a stream, of manifests in the order of their streams."""
    sums: list[Summary] = []
    for manifest in found:
        if not sums or sums[-1].stream != manifest.stream:
            sums.append(Summary(manifest.stream, manifest.since))
        sums[-1].add(manifest)
    return sums


def shape(found: Summary | Manifest) -> dict[str, Any]:
    """As JSON has it: the fields by their names, times in ms as in an export."""
    return dict(msgspec.to_builtins(found))


def streams_table(sums: Iterable[Summary]) -> Table:
    """One line a stream."""
    table = _table("Stream", ("Manifests", "Batches", "Events", "Notes"), "From", "Until")
    for each in sums:
        table.add_row(
            printable(each.stream), f"{each.manifests:,}", f"{each.batches:,}", f"{each.events:,}", f"{each.notes:,}",
            second_text(each.since), f"{second_text(each.until)}{' (its end)' if each.final else ''}",
        )  # fmt: skip
    return table


def each_table(found: Iterable[Manifest]) -> Table:
    """One line a manifest."""
    table = _table("Stream", ("Batches", "Events"), "From", "Until", "Notes")
    for each in found:
        table.add_row(
            printable(each.stream), _numbers(each.first_sequence, each.last_sequence),
            _numbers(each.first_event, each.last_event), second_text(each.since),
            f"{second_text(each.until)}{' (its end)' if each.final else ''}", "\n".join(map(_note, each.notes)),
        )  # fmt: skip
    return table


def _table(first: str, numbers: tuple[str, ...], *others: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(first, no_wrap=True)
    for title in numbers:
        table.add_column(title, justify="right")
    for title in others:
        table.add_column(title, overflow="fold")
    return table


def _numbers(first: int, last: int) -> str:
    if last < first:
        return "-"
    return f"{first}" if first == last else f"{first}-{last}"


def _note(note: Note) -> str:
    by = f" by {note.by}" if note.by else ""
    of = f"batch {note.sequence}, events {_numbers(note.first_event, note.last_event)}"
    return printable(f"{of}: {note.kind}{by} at {second_text(note.at)}, {note.because}")
