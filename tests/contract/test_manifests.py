"""`auditcast manifests` against a broker."""

from pathlib import Path

import msgspec
import pytest

from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.manifests import manifest_key
from auditcast.schemas.records import Manifest, Note
from auditcast.schemas.wire import encode
from tests.e2e.replays import Shell
from tests.unit.console.test_proofs import SIGNER, chain, signed


def test_an_export_holds_every_manifest_in_order_and_says_what_is_wrong(
    topics: Connection, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = Shell(topics, monkeypatch, capfd)
    assert run("manifests", "export").code == 1
    note = Note(
        stream="dst_1-0-e", sequence=1, first_event=1, last_event=5, kind="resolved", by="ada", because="by file", at=1
    )
    manifests = chain(3)
    last = signed(msgspec.structs.replace(manifests[2], notes=[note], final=True))
    producer = clients.producer(topics)
    for manifest in (last, *manifests[:2], last):
        key = manifest_key(manifest.stream, manifest.until)
        producer.produce(Topics(topics.topic_prefix).manifests, encode(manifest), key, 1)
    producer.flush(30)

    file = tmp_path / "manifests.jsonl"
    exported = run("manifests", "export", "--output", str(file))
    assert exported.code == 0
    assert exported.err == (
        f"3 manifests of 1 stream written, all genuine and without a gap; signed by {SIGNER.public_keys[0]}.\n"
    )
    found = [msgspec.json.decode(line, type=Manifest) for line in file.read_bytes().splitlines()]
    assert found == [*manifests[:2], last]
    assert [each["until"] for each in run("manifests", "list", "--each", "--json").json] == [
        each.until for each in found
    ]
    assert "by file" in run("manifests", "list", "--each").out
    [summary] = run("manifests", "list", "--stream", "dst_1-0-e", "--json").json
    assert (summary["batches"], summary["events"], summary["notes"], summary["final"]) == (6, 30, 1, True)

    producer.produce(Topics(topics.topic_prefix).manifests, None, manifest_key("dst_1-0-e", manifests[1].until), 1)
    producer.flush(30)
    holed = run("manifests", "export", "--destination", "dst_1")
    assert (holed.code, len(holed.out.splitlines())) == (1, 2)
    assert "what lay between is missing" in holed.err
    assert run("manifests", "list", "--destination", "dst").out == "There are no such manifests.\n"
