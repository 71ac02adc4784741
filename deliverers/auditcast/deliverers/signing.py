"""The signatures of a delivery: HMAC-SHA256 with the destination's secret, Ed25519 with the platform's key. Pure."""

import base64
import binascii
import hmac
from collections.abc import Callable

from msgspec import Struct

PREFIX = "whsec_"
"""What a secret begins with when a person sees it; the rest is the key in base64."""

Sign = Callable[[bytes], str]
"""Makes the platform's signature of some bytes, in Base64."""


class Keys(Struct, frozen=True):
    """A destination's HMAC keys. While the secret is rotated, `coming` is the new one, alone from `ends` (ms) on."""

    current: bytes
    coming: bytes = b""
    ends: int = 0

    def at(self, now: int) -> tuple[bytes, bytes]:
        """At `now` in ms the key that counts, and the one that is about to, if any."""
        if not self.coming or now < self.ends:
            return self.current, self.coming
        return self.coming, b""


def key_of(secret: str) -> bytes:
    """The HMAC key in `secret`; raises `ValueError` if it is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        # The text of the secret must not reach an error.
        raise ValueError("the destination's secret is not base64")
    return key


def body_signature(key: bytes, body: bytes) -> str:
    """The value of `X-Webhook-Signature`: over the raw body alone, the form that most collectors verify."""
    return f"sha256={hmac.digest(key, body, 'sha256').hex()}"


def message_signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One of `webhook-signature` (Standard Webhooks 1.0.0, v1); `timestamp` in seconds."""
    digest = hmac.digest(key, _message(message_id, timestamp, body), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def platform_signature(sign: Sign, message_id: str, timestamp: int, body: bytes) -> str:
    """The same with the platform's key (v1a)."""
    return f"v1a,{sign(_message(message_id, timestamp, body))}"


def _message(message_id: str, timestamp: int, body: bytes) -> bytes:
    return b"%b.%d.%b" % (message_id.encode(), timestamp, body)
