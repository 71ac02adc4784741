"""A record that aiokafka cannot read must not end the worker."""

from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy

from auditcast.processors.lenient import LenientRecords


class Raw(str):
    """A header's name whose bytes are no UTF-8."""

    __slots__ = ()

    def encode(self, *_: str) -> bytes:  # type: ignore[override]  # str's has names for its arguments
        return b"\xff\xfe"


def batch(name: str, first: int) -> bytes:
    builder = _DefaultRecordBatchBuilderPy(2, 0, 0, -1, -1, 0, 1_000_000)
    builder.append(0, 5, b"key", b"before", [])
    builder.append(1, 6, None, b"value", [(name, b"header")])
    made = builder.build()
    made[:8] = first.to_bytes(8, "big")
    return bytes(made)


def test_a_header_whose_name_is_no_utf8_is_read_and_what_surrounds_it_too() -> None:
    records = LenientRecords(batch("good", 0) + batch(Raw("x"), 2) + batch("good", 4))
    found = []
    while records.has_next():
        made = records.next_batch()
        assert made.validate_crc()
        found += [(record.offset, record.key, record.value, list(record.headers)) for record in made]
    assert [offset for offset, *_ in found] == [0, 1, 2, 3, 4, 5]
    assert found[2] == (2, b"key", b"before", [])
    assert found[3] == (3, None, b"value", [("\\xff\\xfe", b"header")])
    assert found[5][3] == [("good", b"header")]
