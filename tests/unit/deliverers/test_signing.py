"""The signatures, by the standard's own example and by receivers' libraries."""

import datetime
import gzip
from typing import Any

import pytest
import standardwebhooks
import svix

from auditcast.deliverers.request import headers
from auditcast.deliverers.signing import Keys, body_signature, key_of, message_signature
from auditcast.schemas.signing_keys import Signer, genuine, new_signing_key
from tests.unit.deliverers.parcels import batch

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
OLD_KEY, NEW_KEY = key_of(SECRET), key_of(NEXT)
NOW = int(datetime.datetime.now(datetime.UTC).timestamp())
"""The libraries look at the clock."""


def signed(key: bytes, **how: Any) -> dict[str, str]:
    """The headers of a delivery, by lower-case name."""
    given = {"custom": [], "content_type": "application/json", "agent": "a", "now": NOW} | how
    return {name.lower(): value for name, value in headers(batch(), key=key, **given)}  # type: ignore[arg-type]  # such


def test_the_example_of_standard_webhooks() -> None:
    signature = message_signature(key_of(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("library", [standardwebhooks.Webhook, svix.Webhook])
def test_receivers_libraries_sign_alike(library: type[standardwebhooks.Webhook]) -> None:
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    body = '[{"id":"aud_é"}]'
    assert library(SECRET).sign("dst_1-0-e-7", at, body) == message_signature(
        key_of(SECRET), "dst_1-0-e-7", int(at.timestamp()), body.encode()
    )


def test_the_bodys_signature_is_hex_over_the_body_alone() -> None:
    # RFC 4231, test case 2.
    assert body_signature(b"Jefe", b"what do ya want for nothing?") == (
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


@pytest.mark.parametrize("secret", ["whsec_", "whsec_not base64!", ""])
def test_a_secret_that_is_none_is_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="not base64") as refused:
        key_of(secret)
    assert "not base64!" not in str(refused.value)


def test_of_two_secrets_the_new_one_takes_over_at_its_time() -> None:
    keys = Keys(b"old", b"new", 1000)
    assert [keys.at(now) for now in (0, 999, 1000, 10**15)] == [(b"old", b"new")] * 2 + [(b"new", b"")] * 2
    assert Keys(b"old").at(10**15) == Keys(b"old", ends=1).at(10**15) == (b"old", b"")


def test_during_a_rotation_receivers_with_either_secret_are_served() -> None:
    found = signed(OLD_KEY, next_key=NEW_KEY)
    for secret in (SECRET, NEXT):
        for library in (standardwebhooks.Webhook, svix.Webhook):
            library(secret).verify(b"[]", found)
    assert found["x-webhook-signature"] == body_signature(OLD_KEY, b"[]")
    assert found["x-webhook-signature-next"] == body_signature(NEW_KEY, b"[]")
    new, old = found["webhook-signature"].split(" ")
    assert new == message_signature(NEW_KEY, "dst_1-1", NOW, b"[]")
    assert old == message_signature(OLD_KEY, "dst_1-1", NOW, b"[]")


def test_before_and_after_it_there_is_one_signature() -> None:
    found = signed(OLD_KEY)
    assert "x-webhook-signature-next" not in found
    assert " " not in found["webhook-signature"]
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(NEXT).verify(b"[]", found)


def test_the_platforms_signature_is_over_the_same_bytes_and_disturbs_no_library() -> None:
    signer = Signer([new_signing_key()])
    found = signed(OLD_KEY, next_key=NEW_KEY, sign=signer.sign)
    for secret in (SECRET, NEXT):
        for library in (standardwebhooks.Webhook, svix.Webhook):
            library(secret).verify(b"[]", found)
    version, _, signature = found["webhook-signature"].split(" ")[2].partition(",")
    assert version == "v1a"
    assert genuine(signer.public_keys[0], b"dst_1-1.%d.[]" % NOW, signature)


def test_what_is_packed_is_signed_as_it_is_sent() -> None:
    packed, signer = gzip.compress(b"[]", mtime=0), Signer([new_signing_key()])
    found = signed(OLD_KEY, packed=packed, sign=signer.sign)
    assert found["content-encoding"] == "gzip"
    assert found["x-webhook-signature"] == body_signature(OLD_KEY, packed)
    mine, platforms = found["webhook-signature"].split(" ")
    assert mine == message_signature(OLD_KEY, "dst_1-1", NOW, packed)
    assert genuine(signer.public_keys[0], b"dst_1-1.%d.%b" % (NOW, packed), platforms.removeprefix("v1a,"))
    assert "content-encoding" not in signed(OLD_KEY)
