"""The verifier in Node and `auditcast verify` say the same of whatever a receiver may have kept."""

import base64
import json
import os
import random
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from auditcast.console.commands.verify import command
from auditcast.schemas.chain import digest_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Manifest, Note
from tests.kit.languages import DRIVERS, KIT
from tests.received import BEGAN, NEXT_SECRET, PUBLIC_KEY, SECRET, Delivery, Sender, chain_headers

ROUNDS = 200
A, OTHER = "dst_a-3-00ff00ff00ff00ff", "dst_b-1-0123456789abcdef"

Lines = list[str]


def delivered(chance: random.Random, stream: str = A) -> tuple[Lines, list[Manifest]]:
    """What a stream of a few hours brings, in whole batches and parts, with tests, repeats and manifests."""
    sender = Sender(stream=stream, asymmetric=chance.random() < 0.3)
    told: list[Delivery] = []
    for hour in range(1, chance.randint(1, 3) + 1):
        for _ in range(chance.randint(0, 3)):
            gap = f"{sender.now}-{sender.now + 5}" if chance.random() < 0.2 else "-"
            batch = sender.batch(chance.randint(1, 4), gap=gap)
            first, last = batch.first_event, batch.last_event
            if last > first and chance.random() < 0.3:
                middle = (first + last) // 2
                told += [sender.part(batch, first, middle), sender.part(batch, middle + 1, last)]
            else:
                told.append(sender.deliver(batch))
            if chance.random() < 0.2:
                told.append(sender.deliver(batch))
        if chance.random() < 0.3:
            sender.secrets = (SECRET, NEXT_SECRET)
        notes = [
            Note(stream=stream, sequence=1, first_event=1, last_event=1, kind="expired", by="", because="é", at=BEGAN)
        ]
        sender.now = BEGAN + hour * 3_600_000 + 1000
        noted = sender.batches and chance.random() < 0.2
        told.append(sender.deliver_manifest(sender.manifest(hour, notes if noted else ())))
        if chance.random() < 0.2:
            told.append(sender.test())
    return [each.line() for each in told], sender.manifests


def dropped(lines: Lines, chance: random.Random) -> None:
    lines.pop(chance.randrange(len(lines)))


def repeated(lines: Lines, chance: random.Random) -> None:
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))


def moved(lines: Lines, chance: random.Random) -> None:
    lines.append(lines.pop(chance.randrange(len(lines))))


def torn(lines: Lines, chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    lines[at] = lines[at][: chance.choice([chance.randrange(1, max(2, len(lines[at]))), 1])]


def changed_body(lines: Lines, chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    lines[at] = lines[at].replace("viewer", "vIewer", 1)


def changed_header(lines: Lines, chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    kept = json.loads(lines[at])
    name = chance.choice(list(kept["headers"]))
    kept["headers"][name] = chance.choice(["", "0", "-", kept["headers"][name][:-1] + "7"])
    lines[at] = json.dumps(kept, ensure_ascii=False)


def lost_header(lines: Lines, chance: random.Random) -> None:
    at = chance.randrange(len(lines))
    kept = json.loads(lines[at])
    # Without the stream a part would be put together with parts that have it: only the Python one tries that.
    del kept["headers"][chance.choice([name for name in kept["headers"] if name != "X-Audit-Stream"])]
    lines[at] = json.dumps(kept, ensure_ascii=False)


def swapped_bodies(lines: Lines, chance: random.Random) -> None:
    one, other = chance.choices(range(len(lines)), k=2)
    first, second = json.loads(lines[one]), json.loads(lines[other])
    first["body"], second["body"] = second["body"], first["body"]
    lines[one], lines[other] = (json.dumps(each, ensure_ascii=False) for each in (first, second))


HARMS: list[Callable[[Lines, random.Random], None]] = [
    *(dropped, repeated, moved, torn, changed_body, changed_header, lost_header, swapped_bodies)
]


def case(seed: int) -> dict[str, Any]:
    """What was kept, and what the auditor knows."""
    chance = random.Random(seed)
    lines, manifests = delivered(chance)
    if chance.random() < 0.2:
        lines += delivered(chance, OTHER)[0]
    harms = chance.choices(HARMS, k=chance.choice([0, 1, 1, 2, 3]))
    for harm in sorted(harms, key=lambda harm: harm is torn):  # last, since what is torn is no JSON
        if lines:
            harm(lines, chance)
    given = [msgspec.json.encode(each).decode() for each in manifests] if chance.random() < 0.3 else []
    if given and chance.random() < 0.3:
        given.pop(chance.randrange(len(given)))
    options: dict[str, Any] = {}
    if chance.random() < 0.2:
        options["destination"] = "dst_a"
    if chance.random() < 0.2:
        options["from"] = chance.randint(1, 3)
    if chance.random() < 0.2:
        options["until"] = BEGAN + chance.randint(1, 3) * 3_600_000
    return {
        "kept": lines,
        "manifests": given,
        "secrets": chance.choice([[], [SECRET], [SECRET, NEXT_SECRET]]),
        "public_keys": chance.choice([[], [PUBLIC_KEY]]),
        "options": options,
    }


@pytest.fixture(scope="module")
def node() -> Iterator[Callable[[dict[str, Any]], Any]]:
    """Asks the verifier in Node."""
    process = subprocess.Popen(  # noqa: S603  (our own program)
        ["node", DRIVERS / "verify.mjs", KIT],  # noqa: S607  (wherever node is)
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )
    told, heard = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)

    def ask(one: dict[str, Any]) -> Any:
        packed = {
            name: [base64.b64encode(line.encode()).decode() for line in one[name]] for name in ("kept", "manifests")
        }
        told.write(json.dumps(one | packed) + "\n")
        told.flush()
        return json.loads(heard.readline())

    yield ask
    process.communicate()


def python(one: dict[str, Any], folder: Path) -> Any:
    """Asks `auditcast verify`."""
    for name in ("kept", "manifests"):
        (folder / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in one[name]), "utf-8")
    arguments = ["--json", str(folder / "kept.jsonl")]
    if one["manifests"]:
        arguments += ["--manifests", str(folder / "manifests.jsonl")]
    for key in one["public_keys"]:
        arguments += ["--public-key", key]
    for name, value in one["options"].items():
        text = datetime.fromtimestamp(value / 1000, UTC).isoformat() if name == "until" else str(value)
        arguments += [f"--{name}", text]
    done = CliRunner(env={"AUDITCAST_SECRET": ",".join(one["secrets"])}).invoke(command, arguments)
    return json.loads(done.stdout)


def normal(said: Any) -> tuple[int, list[str]]:
    findings = [{name: value for name, value in each.items() if value and name != "where"} for each in said["findings"]]
    return said["exit"], sorted(json.dumps(each, sort_keys=True) for each in findings)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_both_say_the_same(seed: int, node: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    one = case(seed)
    assert normal(node(one)) == normal(python(one, tmp_path))


def far() -> str:
    """A delivery that stands a long way off, as far as anybody without a secret can say so."""
    sender = Sender()
    made = replace(sender.batch(1), id=f"{A}-{10**14}", sequence=10**14)
    return sender.deliver(replace(made, digest=digest_of(made))).line()


def placed(**members: Any) -> str:
    """An event that says where it stands."""
    told = {
        "auditstream": A,
        "auditbatch": 1,
        "auditopened": "1",
        "auditprevious": "0" * 64,
        "sequence": "0" * 19 + "1",
    }
    return json.dumps({"specversion": "1.0", "type": "a", "data": {}} | told | members)


@pytest.mark.parametrize(
    "line",
    [
        *(far(), placed(), "null", "[1,2]", '{"headers":{},"body":7}', '{"headers":{"x-audit-stream":{}},"body":""}'),
        *(placed(auditbatch={}), placed(auditbatch=-4), placed(auditbatch=0), placed(auditopened="x")),
        *(placed(auditprevious="0"), placed(auditgap="x"), placed(auditstream="a b"), placed(sequence="1" * 21)),
    ],
)
def test_both_end_the_same_with_whatever_anybody_may_write(
    line: str, node: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    one = {"kept": [line], "manifests": [], "secrets": [], "public_keys": [], "options": {}}
    assert node(one)["exit"] == python(one, tmp_path)["exit"]


@pytest.mark.parametrize("form", [name for name in FORMATS if not name.startswith("slack")])
@pytest.mark.parametrize("because", ["", 'a "word", a \\ and é\u2028' + "x" * 400])
def test_both_find_manifests_in_bodies_of_every_format(
    form: str, because: str, node: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    sender = Sender(form=form)
    told = [sender.deliver(sender.batch(2)) for _ in range(2)]
    note = Note(stream=A, sequence=2, first_event=3, last_event=4, kind="resolved", by="ada", because=because, at=BEGAN)
    told[1] = sender.deliver_manifest(sender.manifest(1, [note] if because else []))
    lines = [each.line() for each in told]
    one = {"kept": lines, "manifests": [], "secrets": [SECRET], "public_keys": [PUBLIC_KEY], "options": {}}
    code, findings = normal(said := python(one, tmp_path))
    assert normal(node(one)) == (code, findings)
    assert {each["kind"] for each in said["findings"]} >= {"complete", "missing", "proved"}


@pytest.mark.parametrize("form", [name for name in FORMATS if not name.startswith(("slack", "cloudevents/1"))])
def test_both_hold_headers_that_nobody_signs_against_the_events(
    form: str, node: Callable[[dict[str, Any]], Any], tmp_path: Path
) -> None:
    sender = Sender(form=form)
    sender.batch(1)
    batch = sender.batch(4, gap="5-9")
    one = {"manifests": [], "secrets": [SECRET], "public_keys": [], "options": {"from": 2}}
    changes: list[dict[str, Any]] = [
        {},
        {"gap": "-"},
        {"opened": 7},
        {"previous_digest": "0" * 64},
        {"first_event": 3, "last_event": 6},
    ]
    for change in changes:
        forged = replace(batch, **change)
        headers = chain_headers(replace(forged, digest=digest_of(forged)))
        whole, part = (
            one | {"kept": [Delivery(told.headers | headers, told.body).line()]}
            for told in (sender.deliver(batch), sender.part(batch, 4, 5))
        )
        assert node(whole)["exit"] == normal(python(whole, tmp_path))[0] == (2 if change else 0)
        assert node(part)["exit"] == normal(python(part, tmp_path))[0] >= 1
