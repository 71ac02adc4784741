"""docs/verifying.md holds: its values are what a deliverer sends, its tables are what formats and manifests are."""

import base64
import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from auditcast.console.verifying.findings import Kind, gravity
from auditcast.deliverers import request
from auditcast.deliverers.parts import Part
from auditcast.deliverers.signing import key_of
from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, body_digest, digest_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.manifests import digest_of as digest_of_manifest
from auditcast.schemas.manifests import text
from auditcast.schemas.records import Batch, Manifest
from auditcast.schemas.signing_keys import Signer, genuine

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "verifying.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def section(heading: str) -> str:
    begin = PAGE.index(f"\n## {heading}\n") + 1
    end = PAGE.find("\n## ", begin)
    return PAGE[begin:end]


[SECRET] = set(re.findall(r"whsec_[\w+/]+=", PAGE))
SIGNER = Signer(["whsk_" + base64.b64encode(hashlib.sha256(b"auditcast, the example").digest()).decode()])
BODY = block("json").strip().encode()
PRINTED = dict(line.split(": ", 1) for line in block("http").splitlines())
STREAM = PRINTED["X-Audit-Stream"]
MANIFEST = msgspec.json.decode(block("json manifest"), type=Manifest)


def example() -> Batch:
    """The first batch of the example's stream."""
    batch = Batch(
        id=batch_id(STREAM, 1),
        destination="dst_y4yoccfm2zretfai",
        revision_number=1,
        revision_nonce="",
        stream=STREAM,
        sequence=1,
        first_event=1,
        last_event=1,
        partition=3,
        first_offset=1,
        last_offset=1,
        opened=1_736_937_000_456,
        format="cloudevents/2",
        gap=NO_GAP,
        body_sha256=body_digest(BODY),
        previous_digest=GENESIS,
        digest="",
        body=BODY,
    )
    return replace(batch, digest=digest_of(batch))


def sent(batch: Batch, **ways: object) -> dict[str, str]:
    """The headers of a delivery, by name as it is sent."""
    given = request.headers(
        batch,
        custom=[],
        key=key_of(SECRET),
        content_type="application/json",
        agent=f"auditcast/{version('auditcast')}",
        now=1_736_937_030,
        sign=SIGNER.sign,
        **ways,  # type: ignore[arg-type]  # keywords that it has
    )
    return dict(given)


def test_the_example_is_what_a_deliverer_sends() -> None:
    batch = example()
    assert sent(batch) == PRINTED
    assert SIGNER.public_keys[0] in PAGE
    lines = block("text").splitlines()
    assert (lines[0], lines[6], len(lines)) == ("auditcast-chain-v1", body_digest(BODY), 9)
    told = ["Stream", "Sequence", "Events", "Opened", "Format", "Gap", "Previous-Digest"]
    assert [*lines[1:6], *lines[7:]] == [PRINTED[f"X-Audit-{name}"] for name in told]
    assert hashlib.sha256(block("text").encode()).hexdigest() == PRINTED["X-Audit-Digest"]


def test_the_example_s_event_says_what_the_headers_say() -> None:
    [event] = json.loads(BODY)
    rows = re.findall(r"^\| `(\w+)` \| (?:`([\w-]+)`)?", section("If only bodies are kept"), re.MULTILINE)
    assert dict(rows).keys() == {name for name in event if name.startswith("audit")} | {"sequence", "auditgap"}
    assert all(str(event[name]) == PRINTED[header] for name, header in rows if header and name in event)
    assert event["sequence"] == "1".zfill(20)


def test_every_header_is_explained() -> None:
    batch = example()
    everything = {"part": Part(1, 1, BODY), "replay": "run", "next_key": b"k", "packed": b"", "origin": "example.com"}
    every = sent(batch) | sent(batch, **everything) | sent(replace(batch, sequence=0))
    assert set(re.findall(r"^\| `([\w-]+)`", section("What comes"), re.MULTILINE)) == set(every)


def test_the_manifest_is_one() -> None:
    assert text(MANIFEST).decode() == block("text manifest")
    assert digest_of_manifest(MANIFEST) == MANIFEST.digest
    assert genuine(SIGNER.public_keys[0], text(MANIFEST), MANIFEST.signature)
    assert (MANIFEST.stream, MANIFEST.closing_digest) == (STREAM, PRINTED["X-Audit-Digest"])
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", section("Manifests"), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"\w+", row)} == set(Manifest.__struct_fields__)


@pytest.mark.parametrize("name", FORMATS)
def test_a_body_is_made_of_pieces_as_the_table_says(name: str) -> None:
    body = (ROOT / "tests" / "golden" / f"{name.replace('/', '-')}.txt").read_bytes().removesuffix(b"\n")
    family = name.partition("/")[0]
    [row] = [row for row in re.findall(r"^\| (`.*) \|$", section("Parts"), re.MULTILINE) if f"`{family}`" in row] or [
        ""
    ]
    if not row:
        assert f"A message for `{family}` cannot be taken apart" in section("Parts")
        with pytest.raises(ValueError, match="cannot be taken apart"):
            FORMATS[name].pieces(body)
        return
    end, separator, tail = (
        {"line feed": b"\n", "there is none": b""}.get(cell, cell.strip("`").encode()) for cell in row.split(" | ")[1:]
    )
    pieces = FORMATS[name].pieces(body)
    assert pieces.head == body[: body.index(end) + len(end)]
    assert (pieces.separator, pieces.tail) == (separator, tail)


def test_every_finding_is_explained() -> None:
    explained = re.findall(r"^\| `([\w-]+)` \| (\d)", section("What a verifier finds"), re.MULTILINE)
    # `numbers` is an option's of `auditcast verify`.
    assert dict(explained) == {kind.value: str(gravity(kind)) for kind in Kind if kind != Kind.NUMBERS}


@pytest.mark.parametrize("name", FORMATS)
def test_an_event_says_its_place_under_the_names_on_the_page(name: str) -> None:
    names = {
        **dict.fromkeys(("axiom", "ndjson", "cloudevents"), ("sequence", "auditstream", "auditbatch", "auditprevious")),
        **dict.fromkeys(("datadog", "elastic", "ocsf"), ("audit", "event", "stream", "batch", "previous")),
        **dict.fromkeys(("splunk", "loki"), ("audit_event", "audit_stream", "audit_batch", "audit_previous")),
        "newrelic": ("audit.event", "audit.stream", "audit.batch", "audit.previous"),
    }
    family = name.partition("/")[0]
    if name == "cloudevents/1" or family == "slack":
        return  # the page says so
    body = (ROOT / "tests" / "golden" / f"{name.replace('/', '-')}.txt").read_text()
    assert all(f'"{each}":' in body for each in names[family])
    assert f"`{family}`" in section("If only bodies are kept") or family == "cloudevents"
