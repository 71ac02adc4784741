"""The two signatures that every delivery carries, both HMAC-SHA256 with the destination's secret. Pure."""

import base64
import binascii
import hmac

PREFIX = "whsec_"
"""What a secret begins with when a person sees it; the rest is the key in base64."""


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
    """The value of `webhook-signature` (Standard Webhooks 1.0.0, v1); `timestamp` in seconds."""
    digest = hmac.digest(key, b"%b.%d.%b" % (message_id.encode(), timestamp, body), "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"
