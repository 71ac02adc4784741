"""JSON lines: the same to four parsers, whatever JSON can do, and one line to any reader."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from auditcast.schemas.admission import admit
from auditcast.schemas.errors import Refused
from auditcast.schemas.formats import FORMATS, TAKEN, rendering
from auditcast.schemas.records import Option
from tests.bodies import joined, place

NDJSON = FORMATS["ndjson/1"]
CORPUS: dict[str, str] = json.loads(
    (Path(__file__).parents[3] / "fixtures" / "json_test_suite" / "parsing.json").read_text("ascii")
) | {
    # What the suite has besides, in more bytes than are kept here.
    "n_structure_100000_opening_arrays": "[" * 100_000,
    "n_structure_open_array_object": '[{"":' * 50_000,
}
ENVELOPE = (
    '{"specversion":"1.0","id":"a","source":"/s","type":"t","time":"2025-01-15T10:30:00.000Z","workspaceid":"w",'
    '"data":{"actor":{"id":"u","type":"user"},"action":{"category":"lock","action":"created"},"metadata":%s}}'
)
NODE = (
    'const lines = require("fs").readFileSync(0, "utf8").split("\\n").slice(0, -1);'
    "console.log(JSON.stringify(lines.map((line) => JSON.parse(line))));"
)


def admitted(metadata: str) -> bytes | None:
    """The event with `metadata`, if it is let in."""
    try:
        return admit((ENVELOPE % metadata).encode())[1]
    except Refused:
        return None


def node(body: bytes) -> list[Any]:
    if shutil.which("node") is None:
        assert not os.environ.get("CI"), "node is missing: install it"
        pytest.skip("node is missing")
    done = subprocess.run(["node", "-e", NODE], input=body, stdout=subprocess.PIPE, check=True)  # noqa: S603, S607  (ours)
    read: list[Any] = json.loads(done.stdout)
    return read


def each(decode: Callable[[bytes], Any]) -> Callable[[bytes], list[Any]]:
    return lambda body: [decode(line) for line in body.split(b"\n")[:-1]]


def test_what_is_let_in_of_a_public_corpus_is_the_same_to_every_parser() -> None:
    events = {name: admitted(f'{{"k":{case}}}') for name, case in CORPUS.items()}
    let_in = {name: event for name, event in events.items() if event is not None}
    assert [name for name in let_in if name.startswith("n_")] == []
    kept_out = {name for name in CORPUS if name.startswith("y_")} - set(let_in)
    assert kept_out == {"y_object_duplicated_key", "y_object_duplicated_key_and_value"}
    body = joined("ndjson/1", list(let_in.values()))
    [ours, *others] = [read(body) for read in (each(json.loads), each(msgspec.json.decode), each(orjson.loads), node)]
    for other in others:
        for name, mine, theirs in zip(let_in, ours, other, strict=True):
            assert mine == theirs, name
    for name, mine in zip(let_in, ours, strict=True):
        assert mine["data"]["metadata"]["k"] == json.loads(CORPUS[name]), name


def test_an_event_of_the_corpus_that_is_an_object_is_read_as_metadata() -> None:
    objects = {name: case for name, case in CORPUS.items() if name.startswith("y_object")}
    bodies = {name: event for name, case in objects.items() if (event := admitted(case)) is not None}
    assert len(bodies) > 8
    for name, event in bodies.items():
        assert json.loads(event)["data"]["metadata"] == json.loads(objects[name])


@pytest.mark.parametrize("character", '\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\u0000\\"')
def test_no_character_ends_a_line_to_any_reader(character: str) -> None:
    event = admitted(json.dumps({character: f"a{character}b"}, ensure_ascii=False))
    assert event is not None
    lines = joined("ndjson/1", [event, event]).decode().splitlines()
    assert [json.loads(line)["data"]["metadata"] for line in lines] == [{character: f"a{character}b"}] * 2


def test_a_line_is_the_event_as_cloudevents_have_it() -> None:
    event = admitted('{"a":"\u2028é"}')
    assert event is not None
    where = place(99, sequence=7, gap="1-2")
    [line] = joined("ndjson/1", [event], where).splitlines()
    [other] = FORMATS["cloudevents/2"].pieces(joined("cloudevents/2", [event], where)).items
    assert line.replace(b"\\u2028", "\u2028".encode()) == other


def test_the_content_type_is_chosen_and_any_2xx_is_a_success() -> None:
    types = [rendering("ndjson/1", [Option("content_type", kind)]).content_type for kind in ("ndjson", "json", "text")]
    assert types == ["application/x-ndjson", "application/json", "text/plain; charset=utf-8"]
    assert [NDJSON.judge(status, b"", 3) for status in (200, 202, 204, 302, 401, 408)] == [TAKEN] * 3 + [None] * 3


@pytest.mark.parametrize("body", [b"", b"{}", b"{}\n{}"])
def test_what_is_no_body_of_lines_is_not_taken_apart(body: bytes) -> None:
    with pytest.raises(ValueError, match="not ended"):
        NDJSON.pieces(body)
