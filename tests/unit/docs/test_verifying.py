"""docs/verifying.md holds: its values are what a deliverer sends, its Python takes them and finds what is missing."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from auditcast.deliverers import request
from auditcast.deliverers.parts import Part, part_of
from auditcast.deliverers.signing import key_of
from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, body_digest, digest_of
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Batch

PAGE = (Path(__file__).parents[3] / "docs" / "verifying.md").read_text()


def block(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


[SECRET] = set(re.findall(r"whsec_[\w+/]+=", PAGE))
BODY = block("json").strip().encode()
STREAM = "dst_y4yoccfm2zretfai-3-1f2e3d4c5b6a7988"
PRINTED = dict(line.split(": ", 1) for line in block("http").splitlines())


def chained(*events: int, gap: str = NO_GAP) -> list[Batch]:
    """The first batches of the example's stream, `events` in each."""
    batches: list[Batch] = []
    digest, last = GENESIS, 0
    for sequence, count in enumerate(events, 1):
        batch = Batch(
            id=batch_id(STREAM, sequence),
            destination="dst_y4yoccfm2zretfai",
            revision_number=1,
            revision_nonce="",
            stream=STREAM,
            sequence=sequence,
            first_event=last + 1,
            last_event=last + count,
            partition=3,
            first_offset=sequence,
            last_offset=sequence,
            opened=1_736_937_000_456,
            format="cloudevents/1",
            gap=gap,
            body_sha256=body_digest(BODY),
            previous_digest=digest,
            digest="",
            body=BODY,
        )
        digest, last = digest_of(batch), last + count
        batches.append(replace(batch, digest=digest))
    return batches


def sent(batch: Batch, *, part: Part | None = None, replay: str = "") -> dict[str, str]:
    """The headers of a delivery, by name as it is sent."""
    return dict(
        request.headers(
            batch,
            custom=[],
            key=key_of(SECRET),
            content_type="application/json",
            agent=f"auditcast/{version('auditcast')}",
            now=1_736_937_030,
            part=part,
            replay=replay,
        )
    )


def lowered(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture
def page() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block("python"), names)  # noqa: S102  (our own page)
    return names


def test_the_example_is_what_a_deliverer_sends() -> None:
    [batch] = chained(1)
    assert sent(batch) == PRINTED
    lines = block("text").splitlines()
    assert (lines[0], lines[6], len(lines)) == ("auditcast-chain-v1", body_digest(BODY), 9)
    told = ["Stream", "Sequence", "Events", "Opened", "Format", "Gap", "Previous-Digest"]
    assert [*lines[1:6], *lines[7:]] == [PRINTED[f"X-Audit-{name}"] for name in told]
    [event] = json.loads(BODY)
    assert event["sequence"] == f"{batch.first_event:020d}"


def test_every_header_is_explained() -> None:
    explained = PAGE[PAGE.index("## What comes") : PAGE.index("## The digest")]
    [batch] = chained(1)
    part = Part(1, 1, BODY)
    every = sent(batch) | sent(batch, part=part, replay="run")
    assert set(re.findall(r"^\| `([\w-]+)`", explained, re.MULTILINE)) == set(every)


def test_the_snippet_takes_the_example_and_nothing_else(page: dict[str, Any]) -> None:
    verify, headers = page["verify"], lowered(PRINTED)
    verify(SECRET, headers, BODY)
    with pytest.raises(ValueError, match="wrong signature"):
        verify(SECRET, headers, BODY + b" ")
    with pytest.raises(ValueError, match="those that were signed"):
        verify(SECRET, headers | {"x-audit-sequence": "2"}, BODY)
    for name in ("events", "opened", "format", "gap", "previous-digest", "digest"):
        with pytest.raises(ValueError, match="wrong digest"):
            verify(SECRET, headers | {f"x-audit-{name}": "0"}, BODY)


def test_the_snippet_takes_a_test_which_stands_in_no_chain(page: dict[str, Any]) -> None:
    [batch] = chained(1)
    headers = lowered(sent(replace(batch, id="test-0f1e2d3c4b5a6978", stream="", sequence=0)))
    page["verify"](SECRET, headers, BODY)
    assert page["faults"]([headers]) == []


def test_what_is_missing_or_contradictory_is_found(page: dict[str, Any]) -> None:
    faults = page["faults"]
    first, second, third = (lowered(sent(batch)) for batch in chained(1, 5, 2))
    other = lowered(sent(chained(1, 5, gap="1-2")[1]))
    assert faults([third, first, second, first]) == []
    assert faults([first, third]) == [f"{STREAM}: batch 2 is missing"]
    assert faults([second, third]) == [f"{STREAM}: batch 1 is missing"]
    assert faults([first, other]) == [f"{STREAM}: batch 2 does not follow batch 1"]
    assert faults([first, second, other]) == [f"{STREAM}: two different batches have sequence 2"]


def test_parts_are_verified_and_joined(page: dict[str, Any]) -> None:
    kind = FORMATS["cloudevents/1"]
    [event] = kind.pieces(BODY).items
    body = b"[" + b",".join([event.replace(b'0001"}', b'%04d"}' % number) for number in range(1, 6)]) + b"]"
    [batch] = chained(5)
    batch = replace(batch, body=body, body_sha256=body_digest(body))
    batch = replace(batch, digest=digest_of(batch))
    parts = []
    for first, last in ((3, 3), (1, 2), (3, 5), (4, 4)):
        part = part_of(batch, kind, first, last)
        parts.append((lowered(sent(batch, part=part)), part.body))
        page["verify"](SECRET, *parts[-1])
    headers, joined = page["join"](parts)
    assert joined == body
    assert {name: value for name, value in headers.items() if name.startswith(("x-audit", "webhook-id"))} == {
        name: value for name, value in lowered(sent(batch)).items() if name.startswith(("x-audit", "webhook-id"))
    }
    assert page["faults"]([headers, *(headers for headers, _ in parts)]) == []
    for some in (parts[:2], parts[2:], [*parts[:2], (parts[2][0], parts[2][1].replace(b"ada", b"eve"))]):
        with pytest.raises(ValueError, match="missing or altered"):
            page["join"](some)
    with pytest.raises(ValueError, match="those that were signed"):
        page["verify"](SECRET, parts[0][0] | {"x-audit-part": parts[1][0]["x-audit-part"]}, parts[0][1])
