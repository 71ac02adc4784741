"""What stores export leads back to the digests of the batches that they were sent."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Option
from tests.received import PUBLIC_KEY, Sender, event
from tests.unit.console.test_verify import found, kinds

Export = Callable[[list[bytes]], str]
STORED = {"service", "status", "hostname", "timestamp", "message", "ddsource", "ddtags"}
"""What Datadog takes out of a log, and keeps beside its attributes."""

AWKWARD = {
    "zeta": 1.0, "Alpha": 1e100, "n": [1, 2.5, -0.0, {"b": None, "a": True}], "text": "\u2028 \x7f \U0001f600 </b>",
    "big": 2**60, "": "", "small": 1e-7,
}  # fmt: skip


def pieces(form: str, bodies: list[bytes]) -> Iterator[bytes]:
    for body in bodies:
        yield from FORMATS[form].pieces(body).items


def datadog_logs(bodies: list[bytes]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What Datadog takes out of each log, and the attributes that are left."""
    for piece in pieces("datadog/1", bodies):
        log = json.loads(piece)
        yield log, {name: value for name, value in log.items() if name not in STORED}


def datadog_search(bodies: list[bytes]) -> str:
    """A page of the search API's answer, the newest first."""
    data = [
        {
            "id": f"AZ{number}",
            "type": "log",
            "attributes": {
                "service": log["service"], "status": log["status"], "host": log["hostname"], "tags": ["a:b"],
                "timestamp": "2025-01-15T10:30:00.000Z", "message": log["message"], "attributes": attributes,
            },
        }
        for number, (log, attributes) in enumerate(datadog_logs(bodies))
    ]  # fmt: skip
    return json.dumps({"data": data[::-1], "meta": {"page": {"after": "x"}}}, indent=2)


def datadog_archive(bodies: list[bytes]) -> str:
    logs = [
        {"_id": "AZ", "date": "2025", "service": "audit", "message": log["message"], "attributes": attributes}
        for log, attributes in datadog_logs(bodies)
    ]
    return "".join(json.dumps(log) + "\n" for log in logs)


def splunk_results(bodies: list[bytes]) -> str:
    """Lines as `search --output json` prints them: the event, and its indexed fields as text."""
    lines = []
    for piece in pieces("splunk/1", bodies):
        envelope = json.loads(piece)
        raw = piece[piece.index(b'"event":') + 8 : piece.index(b',"fields":')].decode()
        told = {name: envelope[name] for name in ("host", "source", "sourcetype")}
        fields = {name: str(value) for name, value in envelope["fields"].items()}
        result = {"_raw": raw, "_time": "2025", **told, **fields, "index": "main", "linecount": "1"}
        lines.append(json.dumps({"preview": False, "offset": 0, "result": result}))
    return "\n".join([*lines, '{"preview":false,"lastrow":true}'])


def elastic_hits(bodies: list[bytes]) -> str:
    hits = []
    for piece in pieces("elastic/1", bodies):
        action, _, document = piece.partition(b"\n")
        source = _reordered(json.loads(document))
        hits.append({"_index": "logs", "_id": json.loads(action)["create"]["_id"], "_score": 1, "_source": source})
    return json.dumps({"took": 1, "hits": {"total": {"value": len(hits)}, "hits": hits}})


def elastic_dump(bodies: list[bytes]) -> str:
    return "\n".join(json.dumps(hit) for hit in json.loads(elastic_hits(bodies))["hits"]["hits"])


def _reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _reordered(value[name]) for name in sorted(value, reverse=True)}
    return value


EXPORTS: dict[str, tuple[str, Export]] = {
    "a search of Datadog": ("datadog/1", datadog_search),
    "an archive of Datadog": ("datadog/1", datadog_archive),
    "a search of Splunk": ("splunk/1", splunk_results),
    "a search of Elastic": ("elastic/1", elastic_hits),
    "a dump of Elastic": ("elastic/1", elastic_dump),
}


def kept(form: str) -> list[bytes]:
    """Three batches and their manifest, as bodies."""
    sender = Sender(form=form)
    told = [
        sender.deliver(sender.batch([event(each, metadata=AWKWARD) for each in range(number, number + 3)]))
        for number in (1, 4, 7)
    ]
    return [*(each.body for each in told), sender.deliver_manifest(sender.manifest(1)).body]


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_proves_what_the_store_was_sent(name: str, tmp_path: Path) -> None:
    form, export = EXPORTS[name]
    (tmp_path / "export.json").write_text(export(kept(form)), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, tmp_path) == (0, {"complete", "proved"})


@pytest.mark.parametrize("name", EXPORTS)
def test_a_changed_and_a_missing_event_are_found_in_an_export(name: str, tmp_path: Path) -> None:
    form, export = EXPORTS[name]
    bodies = kept(form)
    changed = bodies[1].replace(b"usr_5", b"usr_9")
    assert changed != bodies[1]
    (tmp_path / "export.json").write_text(export([bodies[0], changed, *bodies[2:]]), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, tmp_path)[0] == 2
    lacking = list(pieces(form, [bodies[1]]))[1:]
    head = FORMATS[form].pieces(bodies[1])
    shorter = head.head + head.separator.join(lacking) + head.tail
    (tmp_path / "export.json").write_text(export([bodies[0], shorter, *bodies[2:]]), "utf-8")
    code, findings = found("--public-key", PUBLIC_KEY, tmp_path)
    assert code == 1
    assert {
        "kind": "incomplete",
        "stream": Sender().stream,
        "sequence": 2,
        "first_event": 4,
        "last_event": 4,
    } in findings


def test_what_a_store_changed_everywhere_is_said_to_be_unproved_and_not_altered(tmp_path: Path) -> None:
    bodies = [body.replace(b'"type":"user"', b'"type":"User"') for body in kept("datadog/1")]
    (tmp_path / "export.json").write_text(datadog_search(bodies), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, tmp_path) == (3, {"complete", "proved", "unverifiable"})
    assert kinds("--public-key", PUBLIC_KEY, "--numbers-only", tmp_path) == (0, {"complete", "proved", "numbers"})
    (tmp_path / "export.json").write_text(datadog_search([bodies[0], *bodies[2:]]), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, "--numbers-only", tmp_path)[0] == 1


@pytest.mark.parametrize("options", [[], [Option("index", "main")]])
def test_splunk_was_told_the_index_or_not(options: list[Option], tmp_path: Path) -> None:
    sender = Sender(form="splunk/1", options=options)
    bodies = [sender.deliver(sender.batch(2)).body for _ in range(2)]
    (tmp_path / "export.json").write_text(splunk_results(bodies), "utf-8")
    assert kinds(tmp_path) == (0, {"complete", "unsealed"})


def test_an_event_that_no_store_can_have_made_of_ours_is_an_altered_one(tmp_path: Path) -> None:
    export = datadog_archive(kept("datadog/1")).replace("2025-11-21T02:00:05", "yesterday", 1)
    (tmp_path / "export.json").write_text(export, "utf-8")
    # What lies before it hangs on it: no chain leads from there to the manifest.
    assert kinds("--public-key", PUBLIC_KEY, tmp_path) == (2, {"complete", "altered", "unattested", "proved"})


def test_the_part_of_a_time_may_begin_within_a_batch(tmp_path: Path) -> None:
    lines = elastic_dump(kept("elastic/1")).splitlines()
    (tmp_path / "dump.json").write_text("\n".join(lines[4:]), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, "--begins-later", tmp_path) == (0, {"complete", "proved"})
    code, findings = found("--public-key", PUBLIC_KEY, tmp_path)
    assert code == 1
    stream = Sender().stream
    assert {"kind": "incomplete", "stream": stream, "sequence": 2} in findings
    assert {"kind": "missing", "stream": stream, "first": 1, "last": 1} in findings


def test_a_kind_that_is_named_is_the_only_one_read(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(datadog_archive(kept("datadog/1")), "utf-8")
    assert kinds("--as", "datadog", "--public-key", PUBLIC_KEY, tmp_path)[0] == 0
    assert kinds("--as", "elastic", tmp_path) == (3, {"unreadable"})


def test_events_in_any_order_of_a_store_are_put_right(tmp_path: Path) -> None:
    lines = elastic_dump(kept("elastic/1")).splitlines()
    random.Random(1).shuffle(lines)
    (tmp_path / "dump.json").write_text("\n".join(lines), "utf-8")
    assert kinds("--public-key", PUBLIC_KEY, tmp_path) == (0, {"complete", "proved"})
