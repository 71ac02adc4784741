"""The pipeline's own records as bytes: Avro's single-object encoding, the schema named by its fingerprint.

`avro/NAME.avsc` is what is written today; `avro/past/` keeps every earlier schema, so that yesterday's bytes are read
(docs/evolution.md).
"""

import io
import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
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


class Codec:
    """One schema that bytes may have been `written` with, and how they become the type of today's schema `read`.

    A last field of plain bytes (a batch's body) never goes through fastavro: it is one length and one copy, so its
    size costs no more than that.
    """

    __slots__ = ("header", "kind", "last", "reader", "writer")

    def __init__(self, kind: type[msgspec.Struct], written: dict[str, Any], read: dict[str, Any]) -> None:
        crc = fingerprint(to_parsing_canonical_form(written), "CRC-64-AVRO")
        self.header = MARKER + bytes.fromhex(crc)
        self.kind = kind
        self.last: str | None = None
        last = written["fields"][-1]
        if last == read["fields"][-1] and last["type"] == "bytes":
            self.last = last["name"]
            written, read = _without_last(written), _without_last(read)
        self.writer = fastavro.parse_schema(written)
        self.reader = fastavro.parse_schema(read) if read != written else None

    def encode(self, record: msgspec.Struct) -> bytes:
        """`record`, which must be of this codec's type."""
        out = io.BytesIO()
        out.write(self.header)
        fastavro.schemaless_writer(out, self.writer, msgspec.to_builtins(record, builtin_types=(bytes,)))
        if self.last is None:
            return out.getvalue()
        last: bytes = getattr(record, self.last)
        return b"".join((out.getvalue(), _length(len(last)), last))

    def decode(self, raw: bytes) -> msgspec.Struct:
        """The record in `raw`, which must begin with this codec's header; raises `Undecodable`."""
        source = io.BytesIO(raw)
        source.seek(HEADER_BYTES)
        try:
            fields: Any = fastavro.schemaless_reader(source, self.writer, self.reader)
            end = source.tell()
            if self.last is not None:
                start, end = _span(raw, end)
                fields[self.last] = raw[start:end]
            record: msgspec.Struct = msgspec.convert(fields, self.kind)
        # fastavro lets through whatever its C code trips over (EOF, Unicode, Index, Overflow, Struct, Memory ...).
        except Exception as error:
            raise Undecodable(f"this {self.kind.__name__} cannot be read: {type(error).__name__}") from error
        if end != len(raw):
            raise Undecodable(f"{len(raw) - end} bytes follow the end of this {self.kind.__name__}")
        return record


def _without_last(schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "fields": schema["fields"][:-1]}


def _length(size: int) -> bytes:
    """Avro's zig-zag varint of a size."""
    rest = size << 1
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def _span(raw: bytes, at: int) -> tuple[int, int]:
    """Where the bytes begin and end whose length is written at `at`; raises `ValueError` if they are not all there."""
    number = shift = 0
    while raw[at] > 0x7F:
        number |= (raw[at] & 0x7F) << shift
        shift += 7
        at += 1
        if shift > 63:
            raise ValueError("a length of more than 64 bits")
    number |= raw[at] << shift
    start, size = at + 1, number >> 1
    if number & 1 or start + size > len(raw):
        raise ValueError("a length that the bytes do not have")
    return start, start + size


def codecs(folder: Traversable) -> Iterator[Codec]:
    """Every schema in `folder`, today's of a type before the others that bytes of it may have been written with."""
    others = sorted((folder / "past").iterdir(), key=lambda file: file.name)
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".avsc"):
            today = json.loads(file.read_text(encoding="utf-8"))
            kind = getattr(records, today["name"])
            yield Codec(kind, today, today)
            for other in others:
                if other.name.startswith(f"{today['name']}-") and other.name.endswith(".avsc"):
                    yield Codec(kind, json.loads(other.read_text(encoding="utf-8")), today)


_BY_HEADER: dict[bytes, Codec] = {}
_BY_TYPE: dict[type, Codec] = {}
for _codec in codecs(files("auditcast.schemas") / "avro"):
    _BY_HEADER.setdefault(_codec.header, _codec)
    _BY_TYPE.setdefault(_codec.kind, _codec)


def encode(record: msgspec.Struct) -> bytes:
    """`record` with the newest schema of its type."""
    return _BY_TYPE[type(record)].encode(record)


def decode(raw: bytes, among: Iterable[type[msgspec.Struct]] = ()) -> msgspec.Struct:
    """The record in `raw`, whatever its type; raises `Undecodable`.

    `among`, unless empty, names the types that may be there. Any other is refused before a byte of it is decoded:
    2 MB of empty array items take seconds and 250 MB, which nobody shall be able to force on who wants no arrays.
    """
    codec = _BY_HEADER.get(raw[:HEADER_BYTES])
    if codec is None:
        if raw[:2] != MARKER:
            raise Undecodable("these bytes are no Avro single object: they do not begin with c3 01")
        raise Undecodable(
            f"unknown schema fingerprint {raw[2:HEADER_BYTES].hex()}: upgrade auditcast, or emit with a schema it knows"
        )
    if among and codec.kind not in among:
        expected = " or ".join(kind.__name__ for kind in among)
        raise Undecodable(f"a {codec.kind.__name__} lies where a {expected} was expected: find out who wrote it")
    return codec.decode(raw)


def decode_as(kind: type[R], raw: bytes) -> R:
    """The record in `raw`, which must be a `kind`; raises `Undecodable`."""
    return decode(raw, (kind,))  # type: ignore[return-value]  # `among` says so
