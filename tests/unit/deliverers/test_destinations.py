"""A destination as deliveries need it: the newest revision, waited for, opened, and never shown."""

import asyncio
import base64

import msgspec
import pytest

from auditcast.deliverers.destinations import Destinations
from auditcast.deliverers.outcomes import Failed, Reason
from auditcast.deliverers.signing import Keys
from auditcast.schemas.errors import Misconfigured
from auditcast.schemas.records import Revision, SealedHeader
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode
from tests.unit.deliverers.parcels import batch

SEALER = Sealer([new_key()])
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
REVISION = Revision(
    destination="dst_1",
    number=1,
    nonce="00",
    state="active",
    changed_at=0,
    url="https://siem.example.com/audit?token=hush",
    headers=[SealedHeader("Authorization", SEALER.seal("dst_1/headers/authorization", "Bearer open-sesame"))],
    secret=SEALER.seal("dst_1/secret", SECRET),
    epoch="e",
)


class Topic:
    """A view of `audit.destinations`."""

    def __init__(self, sealer: Sealer = SEALER) -> None:
        self.values: dict[bytes, bytes] = {}
        self.destinations = Destinations(self.values.get, sealer, ())

    def write(self, **changes: object) -> None:
        self.values[b"dst_1"] = encode(msgspec.structs.replace(REVISION, **changes))
        self.destinations.changed("dst_1")


async def _failure(topic: Topic, wait_s: float = 0) -> Failed:
    with pytest.raises(Failed) as failed:
        await topic.destinations.target(batch(), wait_s)
    return failed.value


async def test_a_target_has_what_was_sealed_and_shows_none_of_it() -> None:
    topic = Topic()
    topic.write()
    target = await topic.destinations.target(batch(), 0)
    assert target.keys == Keys(b"k" * 32)
    assert target.headers == [("Authorization", "Bearer open-sesame")]
    assert "open-sesame" in target.credentials
    assert "Bearer" not in target.credentials, "people must be able to read it in an answer"
    assert all(text not in repr(target) for text in ("sesame", "hush", SECRET))


async def test_a_sealed_url_counts_and_all_of_it_is_a_credential() -> None:
    topic = Topic()
    url = "https://hooks.example.com/services/T0000001/B%20zzzzz?key=open-sesame"
    topic.write(url="https://hooks.example.com", sealed_url=SEALER.seal("dst_1/url", url))
    target = await topic.destinations.target(batch(), 0)
    assert str(target.url) == url
    assert {"T0000001", "B zzzzz", "open-sesame", url.removeprefix("https://hooks.example.com")} < {*target.credentials}
    assert "T0000001" not in repr(target)


async def test_a_secret_that_is_coming_is_opened_too() -> None:
    topic = Topic()
    coming = "whsec_" + base64.b64encode(b"n" * 32).decode()
    topic.write(next_secret=SEALER.seal("dst_1/next-secret", coming), rotation_ends=7)
    target = await topic.destinations.target(batch(), 0)
    assert target.keys == Keys(b"k" * 32, b"n" * 32, 7)
    assert {SECRET, coming} < {*target.credentials}


@pytest.mark.parametrize("field", ["next_secret", "sealed_url"])
async def test_what_was_sealed_for_another_place_is_not_opened(field: str) -> None:
    topic = Topic()
    topic.write(**{field: SEALER.seal("dst_1/secret", SECRET)})
    assert (await _failure(topic)).reason is Reason.SEALED


async def test_keys_that_open_nothing_end_the_process_and_one_sealed_destination_does_not() -> None:
    ours, theirs = Topic(), Topic(Sealer([new_key()]))
    ours.write()
    readable = ours.values[b"dst_1"]
    ours.destinations.check_keys([])
    ours.destinations.check_keys([b"garbage", readable])
    with pytest.raises(Misconfigured, match="AUDITCAST_SEALING_KEYS"):
        theirs.destinations.check_keys([b"garbage", readable])


async def test_the_newest_revision_counts_even_a_deletion() -> None:
    topic = Topic()
    topic.write()
    await topic.destinations.target(batch(), 0)
    topic.write(number=2, state="deleted", url="https://other.example.com/")
    assert (await topic.destinations.target(batch(), 0)).url.host == "other.example.com"


async def test_a_batch_waits_for_the_revision_that_it_names() -> None:
    topic = Topic()
    topic.write(number=0)
    waiting = asyncio.create_task(topic.destinations.target(batch(), 10))
    for _ in range(3):
        await asyncio.sleep(0)
        topic.destinations.changed("dst_1")  # something else than what is waited for
    assert not waiting.done()
    topic.write()
    assert (await waiting).order == (1, "00")


async def test_the_wait_is_bounded_and_says_what_is_missing() -> None:
    topic = Topic()
    assert (await _failure(topic)).reason is Reason.DESTINATION_UNKNOWN
    topic.write(number=0)
    missing = await _failure(topic)
    assert missing.reason is Reason.REVISION_UNKNOWN
    assert "revision 1 (00) of dst_1" in str(missing)


async def test_a_key_that_is_not_there_is_named_by_its_variable() -> None:
    topic = Topic(Sealer([new_key()]))
    topic.write()
    wrong = await _failure(topic)
    assert wrong.reason is Reason.SEALED
    assert "AUDITCAST_SEALING_KEYS" in str(wrong)


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "http://siem.example.com/"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://user:pass@siem.example.com/"},
        {"url": "https://siem.example.com:22/"},
        {"headers": [SealedHeader("X-A", SEALER.seal("dst_1/headers/x-a", "a\r\nX-B: hush"))]},
        {"headers": [SealedHeader("webhook-id", SEALER.seal("dst_1/headers/webhook-id", "hush"))]},
        {"secret": SEALER.seal("dst_1/secret", "hush!")},
        {"next_secret": SEALER.seal("dst_1/next-secret", "hush!")},
        {"sealed_url": SEALER.seal("dst_1/url", "https://siem.example.com:22/hush")},
        {"sealed_url": SEALER.seal("dst_1/url", "https://10.0.0.1/hush")},
    ],
    ids=[
        "http",
        "private",
        "userinfo",
        "port",
        "line break",
        "reserved",
        "secret",
        "next secret",
        "sealed port",
        "sealed private",
    ],
)
async def test_a_revision_that_no_registration_would_let_pass_is_not_obeyed(changes: dict[str, object]) -> None:
    topic = Topic()
    topic.write(**changes)
    refused = await _failure(topic)
    assert refused.reason is Reason.DESTINATION_INVALID
    assert "hush" not in str(refused)
    assert "pass@" not in str(refused)


async def test_a_revision_that_cannot_be_read_is_named() -> None:
    topic = Topic()
    topic.values[b"dst_1"] = b"nonsense"
    assert (await _failure(topic)).reason is Reason.DESTINATION_INVALID
