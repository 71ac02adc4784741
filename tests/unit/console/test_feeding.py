"""A person's own events for the demo."""

from pathlib import Path

import pytest

from auditcast.console.demo.feeding import from_file, places_in
from auditcast.console.demo.simulator import Platform, Workspace, workspaces
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import Misconfigured

GOOD = b'{"workspace":"ws_%d","category":"lock","action":"created","actor":{"id":"u","type":"user"}}\n'


def test_emits_what_is_in_the_file_and_knows_the_busiest_places(tmp_path: Path) -> None:
    file = tmp_path / "events"
    file.write_bytes(GOOD % 1 + b"\n" + GOOD % 2 + GOOD % 2)
    assert places_in(file) == [Workspace("ws_2", None), Workspace("ws_1", None)]
    log = MemoryAuditLog()
    for emit in from_file(file):
        emit(log)
    assert [event.workspace for event in log.events] == ["ws_1", "ws_2", "ws_2"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no events"),
        (GOOD % 1 + b"\n{", "line 3: this is no JSON"),
        (GOOD % 1 + GOOD.replace(b"lock", b"lck") % 1, "line 2: category: 'lck' is unknown"),
    ],
)
def test_names_the_line_that_is_wrong(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "events"
    file.write_bytes(content)
    with pytest.raises(Misconfigured, match=sentence):
        places_in(file)


def test_simulates_every_action_of_the_catalogue_the_same_for_one_seed() -> None:
    def first(count: int) -> list[dict[str, object]]:
        events = Platform(3, workspaces(2, 2, 1), Catalogue.builtin()).events()
        return [next(events) for _ in range(count)]

    catalogue = Catalogue.builtin()
    log = MemoryAuditLog()
    for fields in first(len(catalogue)):
        log.emit(**fields)  # type: ignore[arg-type]  # made for it
    assert {(event.category, event.action) for event in log.events} == {(one.category, one.action) for one in catalogue}
    assert first(50) == first(50)
