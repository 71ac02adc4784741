"""The signatures, by the standard's own example and by receivers' libraries."""

import datetime

import pytest
import standardwebhooks
import svix

from auditcast.deliverers.signing import body_signature, key_of, message_signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


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
