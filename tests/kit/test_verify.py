"""docs/kit/verify.mjs, written from docs/verifying.md alone, finds what is to be found in what receivers kept."""

import datetime
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kit.languages import KIT

RECEIVED = Path(__file__).parents[1] / "fixtures" / "received"
EXPECTED: dict[str, dict[str, Any]] = json.loads((RECEIVED / "expected.json").read_text())


def verified(case: dict[str, Any], folder: Path = RECEIVED) -> tuple[int, list[str]]:
    """Its exit code, and its findings in one order."""
    options = case["options"]
    given = [("--public-key", key) for key in case["public_keys"]]
    if case["manifests"]:
        given.append(("--manifests", str(folder / case["manifests"])))
    if "from" in options:
        given.append(("--from", str(options["from"])))
    if "destination" in options:
        given.append(("--destination", options["destination"]))
    if "until" in options:
        until = datetime.datetime.fromtimestamp(options["until"] / 1000, datetime.UTC)
        given.append(("--until", until.isoformat()))
    told = [text for pair in given for text in pair]
    done = subprocess.run(  # noqa: S603  (our own program)
        ["node", KIT / "verify.mjs", "--json", *told, folder / case["input"]],  # noqa: S607  (wherever node is)
        env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": " ".join(case["secrets"])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    said = json.loads(done.stdout)
    assert said["exit"] == done.returncode
    return done.returncode, in_order(said["findings"])


def in_order(findings: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(finding, sort_keys=True) for finding in findings)


@pytest.mark.parametrize("name", EXPECTED)
def test_it_finds_what_there_is(name: str) -> None:
    case = EXPECTED[name]
    assert verified(case) == (case["exit"], in_order(case["findings"]))


@pytest.mark.parametrize("arguments", [[], ["/nowhere.jsonl"], ["--from", "x", "/dev/null"], ["--until", "x", "-"]])
def test_wrong_usage_ends_in_one_sentence(arguments: list[str]) -> None:
    command = ["node", str(KIT / "verify.mjs"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own program)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("verify: ")
    assert done.stderr.count("\n") == 1
