"""The wire form is plain Avro, whatever shortcut wire.py takes, and hostile bytes do nothing but `Undecodable`."""

import io
import json
from contextlib import suppress
from importlib.resources import files
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditcast.schemas import records, wire
from auditcast.schemas.errors import Undecodable

FOLDER = files("auditcast.schemas") / "avro"
SCHEMAS = [json.loads(file.read_text()) for file in FOLDER.iterdir() if file.name.endswith(".avsc")]
BATCH = next(schema for schema in SCHEMAS if schema["name"] == "Batch")
LEAVES = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    "bytes": st.binary(max_size=80),
}


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Values of an Avro schema, as fastavro takes them."""
    match schema:
        case str():
            return LEAVES[schema]
        case list():
            return st.one_of([values(branch) for branch in schema])
        case {"type": "enum", "symbols": symbols}:
            return st.sampled_from(symbols)
        case {"type": "array", "items": items}:
            return st.lists(values(items), max_size=3)
        case {"type": "record", "fields": fields}:
            return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in fields})
    raise AssertionError(schema)


def plain(schema: Any, fields: Any) -> bytes:
    """What fastavro alone writes: the ten bytes of the header are not among it."""
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), fields)
    return out.getvalue()


def record(schema: Any, fields: Any) -> msgspec.Struct:
    kind: type[msgspec.Struct] = getattr(records, schema["name"])
    return msgspec.convert(fields, kind)


SCHEMA_AND_FIELDS = st.sampled_from(SCHEMAS).flatmap(lambda schema: st.tuples(st.just(schema), values(schema)))
RECORDS = SCHEMA_AND_FIELDS.map(lambda pair: record(*pair))


@given(SCHEMA_AND_FIELDS)
def test_what_is_written_is_what_plain_fastavro_writes(pair: tuple[Any, Any]) -> None:
    raw = wire.encode(record(*pair))
    assert raw[wire.HEADER_BYTES :] == plain(*pair)
    assert wire.decode(raw) == record(*pair)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 8191, 8192, 1_048_575, 1_048_576, 1_200_000])
def test_a_body_at_the_borders_of_its_length(size: int) -> None:
    text = {field["name"]: "x" if field["type"] == "string" else 1 for field in BATCH["fields"]}
    fields = text | {"body": b"{" * size}
    raw = wire.encode(record(BATCH, fields))
    assert raw[wire.HEADER_BYTES :] == plain(BATCH, fields)
    assert wire.decode_as(records.Batch, raw).body == fields["body"]


@given(RECORDS, st.data())
def test_every_truncation_is_refused(record: msgspec.Struct, data: st.DataObject) -> None:
    raw = wire.encode(record)
    with pytest.raises(Undecodable):
        wire.decode(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(RECORDS, st.binary(min_size=1, max_size=9))
def test_bytes_after_the_end_are_refused(record: msgspec.Struct, more: bytes) -> None:
    with pytest.raises(Undecodable):
        wire.decode(wire.encode(record) + more)


@given(RECORDS, st.data())
def test_damaged_bytes_raise_nothing_but_undecodable(record: msgspec.Struct, data: st.DataObject) -> None:
    raw = bytearray(wire.encode(record))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    raw[wire.HEADER_BYTES :] = data.draw(st.one_of(st.just(raw[wire.HEADER_BYTES :]), st.binary(max_size=200)))
    with suppress(Undecodable):
        wire.decode(bytes(raw))
