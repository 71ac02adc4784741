"""Parts of batches that are not what they say."""

import pytest
from msgspec.structs import replace

from auditcast.deliverers.parts import Part, halves, part_id, part_of
from auditcast.schemas.formats import FORMATS
from tests.unit.deliverers.parcels import batch

KIND = FORMATS["cloudevents/1"]
BATCH = replace(batch(), first_event=5, last_event=7, body=b'[{"a":1},{"b":2},{"c":3}]')


def test_the_first_half_is_the_smaller_one() -> None:
    assert halves(BATCH, KIND, Part(0, 0, BATCH.body)) == [Part(5, 5, b'[{"a":1}]'), Part(6, 7, b'[{"b":2},{"c":3}]')]
    assert halves(BATCH, KIND, Part(5, 5, b'[{"a":1}]')) == []
    assert [part_id(BATCH, *numbers) for numbers in ((0, 0), (6, 7))] == ["dst_1-1", "dst_1-1-6-7"]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b'[{"a":1}]', b"[1,2,3,4]", b"\xff"])
def test_a_body_that_does_not_hold_its_events_is_not_split(body: bytes) -> None:
    assert halves(BATCH, KIND, Part(0, 0, body)) == []


@pytest.mark.parametrize("numbers", [(4, 5), (6, 8), (7, 6), (8, 8), (-1, -1)])
def test_a_part_that_does_not_exist_is_not_made(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        part_of(BATCH, KIND, *numbers)
