"""`auditcast verify` finds in the fixtures what is to be found there, and ends in one sentence whatever it is given."""

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from auditcast.console.commands.verify import command
from auditcast.console.verifying.stream import Stream
from tests.fixtures.received import make
from tests.received import BEGAN, PUBLIC_KEY, SECRET, Delivery, Sender

RECEIVED = Path(__file__).parents[2] / "fixtures" / "received"
EXPECTED: dict[str, dict[str, Any]] = json.loads((RECEIVED / "expected.json").read_text("utf-8"))


def verify(*arguments: object, secrets: str = SECRET, stdin: bytes | str | None = None) -> Result:
    """The command's result; a traceback fails the test."""
    done = CliRunner(env={"AUDITCAST_SECRET": secrets}).invoke(
        command, [str(each) for each in arguments], input=stdin, catch_exceptions=True
    )
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def found(*arguments: object, secrets: str = SECRET) -> tuple[int, list[dict[str, Any]]]:
    """The exit code, and the findings without their places in the input."""
    done = verify("--json", *arguments, secrets=secrets)
    said = json.loads(done.stdout)
    assert said["exit"] == done.exit_code
    return done.exit_code, [{key: value for key, value in each.items() if key != "where"} for each in said["findings"]]


def kinds(*arguments: object) -> tuple[int, set[str]]:
    code, findings = found(*arguments)
    return code, {each["kind"] for each in findings}


def in_order(findings: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(each, sort_keys=True) for each in findings)


def written(path: Path, *deliveries: Delivery | str) -> Path:
    path.write_text("".join(f"{each if isinstance(each, str) else each.line()}\n" for each in deliveries), "utf-8")
    return path


def test_the_fixtures_are_what_their_program_makes() -> None:
    made = make.files()
    assert {path.name for path in RECEIVED.iterdir() if path.suffix in {".json", ".jsonl"}} == set(made)
    for name, content in made.items():
        assert (RECEIVED / name).read_text("utf-8") == content


@pytest.mark.parametrize("name", EXPECTED)
def test_everything_is_found_and_nothing_else(name: str) -> None:
    case = EXPECTED[name]
    options = case["options"]
    arguments: list[object] = [RECEIVED / case["input"]]
    arguments += [text for key in case["public_keys"] for text in ("--public-key", key)]
    if case["manifests"]:
        arguments += ["--manifests", RECEIVED / case["manifests"]]
    if "until" in options:
        arguments += ["--until", datetime.fromtimestamp(options["until"] / 1000, UTC).isoformat()]
    for option in ("from", "destination"):
        if option in options:
            arguments += [f"--{option}", options[option]]
    code, findings = found(*arguments, secrets=",".join(case["secrets"]))
    assert (in_order(findings), code) == (in_order(case["findings"]), case["exit"])


@pytest.mark.parametrize("name", EXPECTED)
def test_the_report_names_every_kind_of_finding(name: str) -> None:
    case = EXPECTED[name]
    keys = [text for key in case["public_keys"] for text in ("--public-key", key)]
    done = verify(*keys, RECEIVED / case["input"], secrets=",".join(case["secrets"]))
    assert done.exit_code <= 3
    told = json.loads(verify("--json", *keys, RECEIVED / case["input"], secrets=",".join(case["secrets"])).stdout)
    for finding in told["findings"]:
        assert finding["kind"] in done.stdout
        assert finding.get("stream", "") in done.stdout


def test_a_folder_of_bodies_and_headers_is_read(tmp_path: Path) -> None:
    sender = Sender()
    for number, delivery in enumerate([sender.deliver(sender.batch(3)) for _ in range(12)]):
        (tmp_path / f"{number}.body").write_bytes(delivery.body)
        lines = ["POST /audit HTTP/1.1", *(f"{name}: {value}" for name, value in delivery.headers.items())]
        (tmp_path / f"{number}.headers").write_text("\r\n".join(lines), "utf-8")
    (tmp_path / "notes.txt").write_text("of the receiver")
    assert kinds(tmp_path) == (0, {"complete"})
    (tmp_path / "4.body").unlink()
    assert kinds(tmp_path) == (3, {"complete", "missing", "unreadable"})
    (tmp_path / "4.headers").unlink()
    (tmp_path / "7.headers").unlink()
    # Of a body alone its events tell the place.
    assert kinds(tmp_path) == (1, {"complete", "missing"})
    lines = Sender(form="ndjson/1", stream="dst_a-4-00ff00ff00ff00ff")
    (tmp_path / "lines.body").write_bytes(lines.deliver(lines.batch(3)).body)
    assert kinds(tmp_path) == (1, {"complete", "missing", "unsealed"})


def test_headers_that_tell_nothing_leave_it_to_the_events(tmp_path: Path) -> None:
    sender = Sender()
    told = [sender.deliver(sender.batch(2)) for _ in range(2)]
    bare = [
        Delivery({k: v for k, v in each.headers.items() if not k.startswith("X-Audit")}, each.body) for each in told
    ]
    assert kinds(written(tmp_path / "bare.jsonl", *bare)) == (0, {"complete", "unsealed"})
    forged = bare[0].but(bare[0].body.replace(b"viewer", b"vIewer"))
    assert "forged" in kinds(written(tmp_path / "forged.jsonl", forged, bare[1]))[1]
    placeless = Delivery({}, b'[{"specversion":"1.0"}]')
    lines = written(tmp_path / "placeless.jsonl", *told, placeless)
    assert "unsigned" in kinds(lines)[1]
    code, findings = found(lines, secrets="")
    assert (code, "unplaced" in {each["kind"] for each in findings}) == (2, True)


def test_it_is_said_what_could_not_be_looked_at(tmp_path: Path) -> None:
    sender = Sender(asymmetric=True)
    told = sender.deliver(sender.batch(1))
    stripped = sender.deliver(sender.batch(1))
    stripped = stripped.but(webhook_signature=stripped.headers["webhook-signature"].split()[0])
    both = written(tmp_path / "both.jsonl", told, stripped)
    said = verify("--public-key", PUBLIC_KEY, both, secrets="").stdout
    assert "The signatures of 1 delivery were not looked at" in said
    assert "The signatures of 2 deliveries were not looked at" in verify(both, secrets="").stdout
    assert "not looked at" not in verify(both).stdout


def test_packed_bodies_and_files_are_unpacked(tmp_path: Path) -> None:
    sender = Sender()
    plain = sender.batch(2)
    packed = gzip.compress(plain.body, 6, mtime=0)
    delivery = sender._signed(plain.id, packed, make.chain_headers(plain)).but(Content_Encoding="gzip")
    (tmp_path / "1.body").write_bytes(packed)
    (tmp_path / "1.headers").write_text("".join(f"{name}: {value}\n" for name, value in delivery.headers.items()))
    assert kinds(tmp_path) == (0, {"complete"})
    # The receiver's server unpacked it, and kept the header.
    line = json.dumps({"headers": delivery.headers, "body": plain.body.decode()})
    with gzip.open(tmp_path / "all.jsonl.gz", "wt") as file:
        file.write(line + "\n")
    assert kinds(tmp_path / "all.jsonl.gz") == (0, {"complete"})
    altered = written(tmp_path / "altered.jsonl", line.replace("content-encoding", "x").replace("viewer", "vIewer"))
    assert kinds(altered) == (2, {"altered"})


def test_only_the_batches_asked_for_are_looked_at(tmp_path: Path) -> None:
    sender = Sender()
    told = [sender.deliver(sender.batch(1)) for _ in range(9)]
    newest = written(tmp_path / "newest.jsonl", *told[4:])
    assert kinds(newest) == (1, {"missing", "complete"})
    assert kinds("--begins-later", newest) == (0, {"complete"})
    assert kinds("--from", "5", newest) == (0, {"complete"})
    assert kinds("--from", "4", newest) == (1, {"missing", "complete"})
    holed = written(tmp_path / "holed.jsonl", *told[:6], *told[7:])
    assert kinds("--to", "6", holed) == (0, {"complete"})
    assert kinds("--to", "7", holed) == (1, {"missing", "complete"})
    assert kinds("--to", "9", written(tmp_path / "cut.jsonl", *told[:8])) == (1, {"missing", "complete"})


def test_keys_come_in_every_form_that_people_have_them_in(tmp_path: Path) -> None:
    sender = Sender(asymmetric=True)
    told = written(tmp_path / "told.jsonl", sender.deliver(sender.batch(1)))
    raw = PUBLIC_KEY.removeprefix("whpk_").rstrip("=").translate(str.maketrans("+/", "-_"))
    web = written(tmp_path / "web.json", json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": raw}]}))
    lines = written(tmp_path / "lines", "# ours", PUBLIC_KEY)
    secrets = written(tmp_path / "secrets", SECRET)
    for given in (["--public-keys", web], ["--public-keys", lines], ["--secret-file", secrets]):
        assert found(*given, told, secrets="")[0] == 0
    wrong = written(tmp_path / "wrong", SECRET.replace("AQ", "BQ"))
    assert found("--secret-file", wrong, told, secrets="")[0] == 2
    other = written(tmp_path / "other", make.OTHER_SIGNER.public_keys[0])
    assert found("--public-keys", other, told, secrets="")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["/nowhere.jsonl"],
        ["--from", "x", os.devnull],
        ["--from", "9", "--to", "1", os.devnull],
        ["--until", "soon", os.devnull],
        ["--as", "paper", os.devnull],
        ["--secret-file", "/nowhere", os.devnull],
        ["--secret-file", os.devnull, os.devnull],
        ["--public-key", "whpk_AAAA", os.devnull],
        ["--public-keys", __file__, os.devnull],
    ],
)
def test_wrong_usage_ends_with_3_in_one_sentence(arguments: list[str]) -> None:
    done = subprocess.run(  # noqa: S603  (our own program)
        [sys.executable, "-m", "auditcast.console", "verify", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "AUDITCAST_SECRET"},
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert len([line for line in done.stderr.splitlines() if not line.startswith(("Usage:", "Try ")) and line]) == 1


HOSTILE = {
    "nothing": b"",
    "no JSON": b"\x00\xff\n",
    "deep": b"[" * 200_000,
    "deep delivery": b'{"headers":{"a":' + b"[" * 200_000 + b'},"body":""}',
    "deep event": b'{"specversion":"1.0","auditstream":' + b"[" * 200_000,
    "pages in pages": b'{"data":' * 50 + b"[]" + b"}" * 50,
    "a number": b"17\n",
    "a surrogate": b'{"headers":{},"body":"\\ud800"}',
    "no Base64": b'{"headers":{},"body_base64":"\xc3\xa9"}',
    "huge numbers": b'{"specversion":"1.0","auditstream":"s-1-a","auditbatch":1e400,"sequence":"1"}',
    "a header that is an object": b'{"headers":{"x-audit-stream":{}},"body":""}',
    "a Datadog page of nothing": b'{"data":[null,{"attributes":null},{"attributes":{"attributes":{"audit":[]}}}]}',
    "an Elastic hit of nothing": b'{"hits":{"hits":[{"_source":5},{"_source":{"event":{"original":7}}}]}}',
    "a Splunk result of nothing": b'{"result":{"_raw":"","audit_stream":["a","b"]}}',
    "a manifest of nothing": b'{"closing_digest":1,"stream":2,"signature":3,"until":4,"previous":5}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_input_is_unreadable_and_no_more(name: str, tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(HOSTILE[name])
    code, findings = found(tmp_path / "input")
    assert code in (2, 3)
    assert {each["kind"] for each in findings} <= {"unreadable", "unplaced", "nothing"}


def test_an_endless_line_and_a_bomb_are_not_read_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditcast.console.verifying.reading.MOST_LINE", 1000)
    monkeypatch.setattr("auditcast.console.verifying.verifier.MOST_UNPACKED", 1000)
    (tmp_path / "long").write_bytes(b"x" * 5000 + b"\n")
    assert kinds(tmp_path / "long") == (3, {"unreadable"})
    bomb = gzip.compress(bytes(100_000))
    (tmp_path / "bomb.gz").write_bytes(bomb)
    assert kinds(tmp_path / "bomb.gz") == (3, {"unreadable"})
    (tmp_path / "bomb.body").write_bytes(bomb)
    (tmp_path / "bomb.headers").write_text("X-Audit-Stream: dst_a-3-00\n")
    assert kinds(tmp_path / "bomb.body", tmp_path)[0] == 3


def test_nothing_that_an_input_says_reaches_a_terminal_as_it_is(tmp_path: Path) -> None:
    sender = Sender()
    told = sender.deliver(sender.batch(1)).but(X_Audit_Stream="dst\x1b[31m-1-a")
    note = make.Note(
        stream=sender.stream, sequence=1, first_event=1, last_event=1, kind="resolved", by="\x1b]0;ada\x07",
        because="line\nbreak", at=BEGAN,
    )  # fmt: skip
    manifest = sender.deliver_manifest(sender.manifest(1, [note]))
    done = verify("--public-key", PUBLIC_KEY, written(tmp_path / "told.jsonl", told, manifest))
    assert done.exit_code == 2
    assert all(char.isprintable() for line in done.stdout.split("\n") for char in line)
    assert "line\\nbreak" in done.stdout


def test_standard_input_is_read() -> None:
    sender = Sender()
    lines = sender.deliver(sender.batch(1)).line()
    assert verify("-", stdin=lines).exit_code == 0


def test_a_torn_beginning_does_not_swallow_the_rest(tmp_path: Path) -> None:
    sender = Sender()
    told = [sender.deliver(sender.batch(1)) for _ in range(3)]
    for beginning in ("{", "[", '{"headers":{', '{"headers":{"a":"b",'):
        torn = written(tmp_path / "torn.jsonl", beginning, *told)
        assert kinds(torn) == (3, {"complete", "unreadable"})
    pretty = json.dumps([json.loads(each.line()) for each in told], indent=2)
    assert kinds(written(tmp_path / "pretty.json", pretty)) == (0, {"complete"})


def test_an_event_is_no_copy_of_one_in_a_body_that_has_no_pieces(tmp_path: Path) -> None:
    people, machine = Sender(form="slack/1"), Sender()
    whole, forged = people.deliver(people.batch(2)), machine.batch(2).body.decode()
    for lines in ([whole, forged], [forged, whole]):
        code, said = kinds(written(tmp_path / "both.jsonl", *lines))
        assert (code, "contradiction" in said) == (2, True)


def test_a_member_that_stands_there_twice_is_not_what_came(tmp_path: Path) -> None:
    sender = Sender()
    lines = [sender.batch(1).body.decode()[1:-1] for _ in range(2)]
    spaced = [line.replace('","', '", "') for line in lines]
    assert kinds(written(tmp_path / "spaced.jsonl", *spaced)) == (0, {"complete", "unsealed"})
    begun = '{"subject":"somebody else", '
    twice = [line.replace("{", begun, 1) for line in spaced]
    assert kinds(written(tmp_path / "twice.jsonl", *twice))[0] == 3


def test_what_comes_behind_the_last_one_asked_for_still_has_to_follow_it(tmp_path: Path) -> None:
    sender, told = make.two_hours()
    forger = Sender(batches=sender.batches[:2], now=sender.batches[2].opened, secrets=(make.OTHER_SECRET,))
    forged = forger.deliver(forger.batch(1))
    asked = ["--public-key", PUBLIC_KEY, "--to", "3"]
    for lines in ([*told[:3], forged, *told[4:]], [*told[:3], forged, told[5]]):
        code, findings = found(*asked, written(tmp_path / "told.jsonl", *lines), secrets="")
        assert (code, {"unattested"}) == (1, {each["kind"] for each in findings} - {"complete", "proved"})
    assert found(*asked, written(tmp_path / "told.jsonl", *told), secrets="")[0] == 0


def test_a_header_ends_with_its_line_and_with_nothing_else(tmp_path: Path) -> None:
    sender = Sender()
    told = sender.deliver(sender.batch(1)).but(X_Note="a\u2028X-Audit-Gap: 1-2")
    (tmp_path / "1.body").write_bytes(told.body)
    lines = [f"{name}: {value}" for name, value in told.headers.items()]
    (tmp_path / "1.headers").write_text("\r\n".join(lines), "utf-8")
    assert kinds(tmp_path) == (0, {"complete"})


def test_what_is_sent_many_times_is_not_tried_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An auditor's tool must not be kept busy by whoever wrote the input."""
    sender = Sender()
    bodies = [sender.batch(4).body.decode() for _ in range(3)]
    lines = [bodies[0], bodies[2], *(bodies[1].replace("viewer", f"v{number}") for number in range(50)), bodies[1]]
    tries = []
    seal = Stream.seal
    monkeypatch.setattr(Stream, "seal", lambda *given: tries.append(given[1]) or seal(*given))
    assert kinds(written(tmp_path / "told.jsonl", *lines))[0] == 2
    assert tries.count(2) <= 2
