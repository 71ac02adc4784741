"""Hostile and foreign bytes at the wire form's door; what is well-formed is in tests/properties/test_wire.py."""

import json
from importlib.resources import files
from typing import Any

import pytest

from auditcast.schemas import wire
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import AuditEvent, Batch, Control, Link, Revision

LINK = Link(stream="s", sequence=1, last_event=2, last_offset=3, digest="d")
REVISION = Revision(destination="dst_1", number=1, nonce="n", state="active", changed_at=0, epoch="e")
BATCH = Batch(
    id="b", destination="d", revision_number=1, revision_nonce="n", stream="s", sequence=1, first_event=1,
    last_event=1, partition=0, first_offset=0, last_offset=0, opened=0, format="cloudevents/1", gap="-",
    body_sha256="", previous_digest="", digest="", body=b"body",
)  # fmt: skip


@pytest.mark.parametrize("raw", [b"", b"\xc3", b"{}", b"\x00\x00\x00\x00\x01Confluent's own form"])
def test_bytes_of_another_kind_are_named_so(raw: bytes) -> None:
    with pytest.raises(Undecodable, match="do not begin with c3 01"):
        wire.decode(raw)


def test_an_unknown_schema_is_named_by_its_fingerprint() -> None:
    with pytest.raises(Undecodable, match="unknown schema fingerprint 0102030405060708: upgrade"):
        wire.decode(wire.MARKER + bytes(range(1, 9)) + b"anything")


def test_a_record_of_another_type_is_refused_before_it_is_decoded() -> None:
    damaged = wire.encode(REVISION)[: wire.HEADER_BYTES]
    with pytest.raises(Undecodable, match="a Revision lies where a Link was expected"):
        wire.decode_as(Link, damaged)
    with pytest.raises(Undecodable, match="a Revision lies where a AuditEvent or Control was expected"):
        wire.decode(damaged, (AuditEvent, Control))


@pytest.mark.parametrize("length", [-1, -5, 2**40, 2**62])
def test_a_length_that_the_bytes_do_not_have_is_refused(length: int) -> None:
    zigzag = length << 1 ^ length >> 63
    varint = bytearray()
    while zigzag > 0x7F:
        varint.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    varint.append(zigzag)
    for record, tail in ((BATCH, b"\x08body"), (LINK, b"\x02s\x02\x04\x06\x02d")):
        raw = wire.encode(record)
        assert raw.endswith(tail)
        with pytest.raises(Undecodable, match="cannot be read"):
            wire.decode(raw.removesuffix(tail) + bytes(varint) + tail)


def test_a_body_length_without_an_end_is_refused() -> None:
    with pytest.raises(Undecodable):
        wire.decode(wire.encode(BATCH).removesuffix(b"\x08body") + b"\x80" * 100_000 + b"\x00")


def test_no_schema_lets_an_array_grow_from_nothing() -> None:
    """An array of items without bytes would let ten bytes stand for billions of items."""
    assert all(smallest(schema) > 0 for schema in schemas())


def schemas() -> list[Any]:
    folder = files("auditcast.schemas") / "avro"
    return [json.loads(file.read_text()) for file in folder.iterdir() if file.name.endswith(".avsc")]


def smallest(schema: Any) -> int:
    """The fewest bytes that a value takes; fails on an array whose items may take none."""
    match schema:
        case "null":
            return 0
        case str():
            return 1
        case list() | {"type": "enum"}:
            return 1
        case {"type": "array", "items": items}:
            assert smallest(items) > 0, items
            return 1
        case {"type": "record", "fields": fields}:
            return sum(smallest(field["type"]) for field in fields)
    raise AssertionError(schema)
