"""The pipeline's own records as bytes: Avro's single-object encoding, the schema named by its fingerprint.

`avro/NAME.avsc` is what is written today; `avro/past/` keeps every earlier schema, so that yesterday's bytes are read.
"""

import io
import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, TypeVar

import fastavro
import msgspec
from fastavro.schema import fingerprint, to_parsing_canonical_form

from auditcast.schemas import records
from auditcast.schemas.errors import Undecodable

MARKER = b"\xc3\x01"
"""The first two bytes of everything here; JSON never begins with them."""

HEADER_BYTES = 10
R = TypeVar("R", bound=msgspec.Struct)


class _Codec:
    """One schema that bytes may have been written with, and the type that they become."""

    __slots__ = ("header", "kind", "reader", "writer")

    def __init__(self, kind: type[msgspec.Struct], written: dict[str, Any], read: dict[str, Any]) -> None:
        crc = fingerprint(to_parsing_canonical_form(written), "CRC-64-AVRO")
        self.header = MARKER + bytes.fromhex(crc)
        self.kind = kind
        self.writer = fastavro.parse_schema(written)
        self.reader = fastavro.parse_schema(read)


def _codecs() -> Iterator[_Codec]:
    """Every known schema, today's of a type before its past ones."""
    folder = files("auditcast.schemas") / "avro"
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if file.name.endswith(".avsc"):
            today = json.loads(file.read_text())
            kind = getattr(records, today["name"])
            yield _Codec(kind, today, today)
            for past in sorted((folder / "past").iterdir(), key=lambda entry: entry.name):
                if past.name.startswith(f"{today['name']}-"):
                    yield _Codec(kind, json.loads(past.read_text()), today)


_BY_HEADER = {codec.header: codec for codec in _codecs()}
_BY_TYPE: dict[type, _Codec] = {}
for _codec in _codecs():
    _BY_TYPE.setdefault(_codec.kind, _codec)


def encode(record: msgspec.Struct) -> bytes:
    """`record` with the newest schema of its type."""
    codec = _BY_TYPE[type(record)]
    out = io.BytesIO()
    out.write(codec.header)
    fastavro.schemaless_writer(out, codec.writer, msgspec.to_builtins(record, builtin_types=(bytes,)))
    return out.getvalue()


def decode(raw: bytes) -> msgspec.Struct:
    """The record in `raw`, whatever its type; raises `Undecodable`."""
    codec = _BY_HEADER.get(raw[:HEADER_BYTES])
    if codec is None:
        if raw[:2] != MARKER:
            raise Undecodable("these bytes are no Avro single object: they do not begin with c3 01")
        raise Undecodable(
            f"unknown schema fingerprint {raw[2:HEADER_BYTES].hex()}: upgrade auditcast, or emit with a schema it knows"
        )
    source = io.BytesIO(raw)
    source.seek(HEADER_BYTES)
    try:
        fields = fastavro.schemaless_reader(source, codec.writer, codec.reader)
        record: msgspec.Struct = msgspec.convert(fields, codec.kind)
    # fastavro lets through whatever its C code trips over (EOF, Unicode, Index, Overflow, Struct, Memory ...).
    except Exception as error:
        raise Undecodable(f"this {codec.kind.__name__} cannot be read: {type(error).__name__}") from error
    if source.tell() != len(raw):
        raise Undecodable(f"{len(raw) - source.tell()} bytes follow the end of this {codec.kind.__name__}")
    return record


def decode_as(kind: type[R], raw: bytes) -> R:
    """The record in `raw`, which must be a `kind`; raises `Undecodable`."""
    record = decode(raw)
    if not isinstance(record, kind):
        raise Undecodable(f"a {type(record).__name__} lies where a {kind.__name__} was expected")
    return record
