"""Yesterday's bytes are read today, and mean the same (docs/evolution.md).

The fixtures only ever grow. When a test here fails, it is the change that is wrong, not the fixture.
"""

import json
import types
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest

from auditcast.schemas import records, wire
from auditcast.schemas.admission import admit

FIXTURES = Path(__file__).parents[2] / "fixtures"
RECORDS = json.loads((FIXTURES / "records.json").read_text(encoding="utf-8"))
EVENTS = json.loads((FIXTURES / "events.json").read_text(encoding="utf-8"))
SCHEMAS = {
    file.name.removesuffix(".avsc"): json.loads(file.read_text(encoding="utf-8"))
    for file in (files("auditcast.schemas") / "avro").iterdir()
    if file.name.endswith(".avsc")
}
FINGERPRINTS = {
    "Alerted": ["a6822f15cc7b611f", "0c57fd1256bfad2c"],
    "Attempted": ["37692829aa9754f9"],
    "AuditEvent": ["44f44958aff8fde8"],
    "Backfill": ["8a6cdcef5b8aea29"],
    "Batch": ["df2f5c89e8923108"],
    "Control": ["1edbf5f6b2af3054"],
    "DeadLetter": ["76d92dc774e69c5b", "a261480461126f22"],
    "Delivery": ["6f90f4589f2decd9"],
    "Link": ["2fa3c23388aec731"],
    "Manifest": ["038f69ab8e84a83d"],
    "ManifestLink": ["da50c81cb08ef874"],
    "Moved": ["3c0e0d45f58bb0bf"],
    "Note": ["155baf91cf882789"],
    "NoteEntered": ["cc133e5bbeb139e0"],
    "Parked": ["f4095d7827c6bc40"],
    "Released": ["e7cbbf924ac12519"],
    "Revision": ["62cc19f4f2b4fb6f", "01a77ab27724f3bd", "e8f630c635a24077"],
    "RevisionInForce": ["99c3d1b1d11ccc1d", "cea1ecb7397a050a", "26fb21159aafe022"],
    "Skipped": ["07c20da5c9b9389a"],
    "Status": ["f40b4ee27c94afb0"],
    "TestResult": ["2078d8f9ed64d36e"],
    "Workspace": ["a1a7ea9f4ccf1750", "1ef1686351a46741"],
}
"""Every schema that ever wrote a record, oldest first: append, never remove or edit."""


def headers(name: str) -> list[bytes]:
    return [wire.MARKER + bytes.fromhex(fingerprint) for fingerprint in FINGERPRINTS[name]]


@pytest.mark.parametrize("entry", RECORDS, ids=lambda entry: f"{entry['type']}-{entry['fingerprint']}")
def test_a_record_of_any_day_is_read_as_what_it_was(entry: dict[str, Any]) -> None:
    kind = getattr(records, entry["type"])
    raw = wire.MARKER + bytes.fromhex(entry["fingerprint"] + entry["bytes"])
    record = wire.decode(raw)
    assert record == msgspec.convert(entry["fields"], kind)
    again = wire.encode(record)
    assert again.startswith(headers(entry["type"])[-1]), "append the new schema's fingerprint, and a record of it"
    if raw.startswith(headers(entry["type"])[-1]):
        assert again == raw


def test_no_schema_is_forgotten_and_none_changes_unseen() -> None:
    written = {name: {entry["fingerprint"] for entry in RECORDS if entry["type"] == name} for name in SCHEMAS}
    assert written == {name: set(fingerprints) for name, fingerprints in FINGERPRINTS.items()}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event["admitted"][:40])
def test_an_event_is_admitted_as_the_same_bytes_for_ever(event: dict[str, Any]) -> None:
    """A worker that begins a batch again after an upgrade must come to the same batch."""
    given = [(name, value.encode()) for name, value in event["headers"].items()]
    assert admit(event["value"].encode(), given)[1] == event["admitted"].encode()


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_says_what_its_type_says(name: str) -> None:
    assert shape(SCHEMAS[name]) == avro_of(getattr(records, name))


def shape(schema: Any) -> Any:
    """An Avro schema without what matters to nobody but readers: docs, names of enums; int and long are one."""
    match schema:
        case "int":
            return "long"
        case str():
            return schema
        case list():
            return [shape(branch) for branch in schema]
        case {"type": "enum", "symbols": symbols}:
            return symbols
        case {"type": "array", "items": items}:
            return {"items": shape(items)}
        case {"type": "record", "name": name, "fields": fields}:
            return {name: [(field["name"], shape(field["type"]), field.get("default", "required")) for field in fields]}
    raise AssertionError(schema)


PLAIN = {str: "string", int: "long", bool: "boolean", bytes: "bytes", type(None): "null"}


def avro_of(kind: Any) -> Any:
    """The same of a type of records.py."""
    if kind in PLAIN:
        return PLAIN[kind]
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if get_origin(kind) is list:
        return {"items": avro_of(get_args(kind)[0])}
    if get_origin(kind) is types.UnionType:
        return sorted((avro_of(part) for part in get_args(kind)), key=lambda branch: branch != "null")
    return {
        kind.__name__: [(field.name, avro_of(field.type), default(field)) for field in msgspec.structs.fields(kind)]
    }


def default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    return value.decode() if isinstance(value, bytes) else value


class LinkOfTomorrow(records.Link, frozen=True, kw_only=True):
    added: str = "unknown"


class BatchOfTomorrow(records.Batch, frozen=True, kw_only=True):
    added: int | None = None


def test_a_field_added_with_a_default_is_read_from_bytes_without_it() -> None:
    today = SCHEMAS["Link"]
    tomorrow = {**today, "fields": [*today["fields"], {"name": "added", "type": "string", "default": "unknown"}]}
    link = records.Link(stream="s", sequence=1, last_event=2, last_offset=3, digest="d")
    read = wire.Codec(LinkOfTomorrow, today, tomorrow).decode(wire.encode(link))
    assert read == LinkOfTomorrow(**msgspec.structs.asdict(link))


def test_a_schema_in_the_folder_of_the_past_is_found_by_its_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "past").mkdir()
    today = SCHEMAS["Link"]
    earlier = {**today, "fields": [{"name": "dropped", "type": "long"}, *today["fields"]]}
    (tmp_path / "Link.avsc").write_text(json.dumps(today))
    (tmp_path / "past" / "Link-1.avsc").write_text(json.dumps(earlier))
    (tmp_path / "past" / "README.md").write_text("not a schema")
    newest, past = wire.codecs(tmp_path)
    assert newest.header == headers("Link")[-1] != past.header
    link = records.Link(stream="s", sequence=1, last_event=2, last_offset=3, digest="d")
    written = past.header + b"\x0e" + wire.encode(link)[wire.HEADER_BYTES :]
    assert past.decode(written) == link


def test_a_batch_grows_before_its_body() -> None:
    today = SCHEMAS["Batch"]
    added = {"name": "added", "type": ["null", "long"], "default": None}
    tomorrow = {**today, "fields": [*today["fields"][:-1], added, today["fields"][-1]]}
    raw = next(
        wire.MARKER + bytes.fromhex(entry["fingerprint"] + entry["bytes"])
        for entry in RECORDS
        if entry["type"] == "Batch"
    )
    read = wire.Codec(BatchOfTomorrow, today, tomorrow).decode(raw)
    assert read == BatchOfTomorrow(**msgspec.structs.asdict(wire.decode(raw)))


def test_a_reader_of_today_skips_what_a_schema_of_tomorrow_adds() -> None:
    """How an upgrade begins: the new schema is known to every reader before anybody writes with it."""
    today = SCHEMAS["Link"]
    tomorrow = {**today, "fields": [*today["fields"], {"name": "added", "type": "string", "default": "unknown"}]}
    link = LinkOfTomorrow(stream="s", sequence=1, last_event=2, last_offset=3, digest="d", added="new")
    raw = wire.Codec(LinkOfTomorrow, tomorrow, tomorrow).encode(link)
    read = wire.Codec(records.Link, tomorrow, today).decode(raw)
    assert read == records.Link(stream="s", sequence=1, last_event=2, last_offset=3, digest="d")
