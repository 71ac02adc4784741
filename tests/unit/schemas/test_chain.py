"""The chain against digests made here by hand, from nothing but its documented lines."""

import hashlib

import msgspec
import pytest

from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, digest_of, stream_name
from auditcast.schemas.records import Batch

BODY = b'[{"specversion":"1.0"}]'
STREAM = "dst_1-3-00ff00ff00ff00ff"
FIRST = Batch(
    id=f"{STREAM}-1",
    destination="dst_1",
    revision_number=1,
    revision_nonce="n",
    stream=STREAM,
    sequence=1,
    first_event=1,
    last_event=2,
    partition=3,
    first_offset=10,
    last_offset=20,
    opened=1_736_937_000_000,
    format="cloudevents/1",
    gap=NO_GAP,
    body_sha256=hashlib.sha256(BODY).hexdigest(),
    previous_digest=GENESIS,
    digest="",
    body=BODY,
)


def by_hand(*lines: str) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_the_digest_is_that_of_the_documented_lines() -> None:
    body = hashlib.sha256(BODY).hexdigest()
    first = by_hand("auditcast-chain-v1", STREAM, "1", "1-2", "1736937000000", "cloudevents/1", body, "-", "0" * 64)
    assert digest_of(FIRST) == first

    second = msgspec.structs.replace(
        FIRST, sequence=2, first_event=3, last_event=3, gap="1736937000000-1736937060000", previous_digest=first
    )
    gap = "1736937000000-1736937060000"
    assert digest_of(second) == by_hand(
        "auditcast-chain-v1", STREAM, "2", "3-3", "1736937000000", "cloudevents/1", body, gap, first
    )


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "dst_1-3-00ff00ff00ff00fe"},
        {"sequence": 2},
        {"first_event": 2},
        {"last_event": 3},
        {"opened": 1},
        {"format": "cloudevents/2"},
        {"gap": "1-2"},
        {"previous_digest": "1" * 64},
        {"body": BODY + b" "},
    ],
)
def test_the_digest_covers_every_field_that_it_names(change: dict[str, object]) -> None:
    assert digest_of(msgspec.structs.replace(FIRST, **change)) != digest_of(FIRST)


def test_names_are_free_of_dots_for_standard_webhooks() -> None:
    assert stream_name("dst_1", 3, "00ff") == "dst_1-3-00ff"
    assert batch_id("dst_1-3-00ff", 12) == "dst_1-3-00ff-12"
