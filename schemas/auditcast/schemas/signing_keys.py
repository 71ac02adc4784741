"""The platform's Ed25519 keys: what they sign, anybody can verify with the public half.

As text a key is `whsk_` and Base64, its public half `whpk_` and Base64 (Standard Webhooks).
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditcast.schemas.errors import Misconfigured

PRIVATE = "whsk_"
PUBLIC = "whpk_"
SEED_BYTES = 32


def new_signing_key() -> str:
    """A fresh key, as it stands in the environment."""
    return PRIVATE + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


class Signer:
    """Signs with the first of its keys; the others are there so that what they signed can still be verified."""

    def __init__(self, keys: Sequence[str], sealing_keys: Sequence[str] = ()) -> None:
        """Without `keys` they are derived from the sealing keys; raises `Misconfigured` for what is no key."""
        seeds = [_seed(key) for key in keys] or [_derived(key) for key in sealing_keys]
        if not seeds:
            raise Misconfigured("AUDITCAST_SIGNING_KEYS is empty: set it to one made by 'auditcast keys new --signing'")
        self._private = [Ed25519PrivateKey.from_private_bytes(seed) for seed in seeds]
        self.public_keys = [
            PUBLIC + base64.b64encode(key.public_key().public_bytes_raw()).decode() for key in self._private
        ]
        """The public halves, in the order of the keys: the first is the one that signs."""

    def sign(self, content: bytes) -> str:
        """The signature, in Base64."""
        return base64.b64encode(self._private[0].sign(content)).decode()


def genuine(public_key: str, content: bytes, signature: str) -> bool:
    """Whether `signature` (Base64) of `content` was made with the key whose public half (`whpk_…`) is given."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix(PUBLIC), validate=True))
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):  # ValueError: it is no key, or no Base64
        return False
    return True


def web_key(public_key: str) -> dict[str, str]:
    """A public half (`whpk_…`) as a JSON Web Key (RFC 8037), its id the key's thumbprint (RFC 7638)."""
    raw = base64.b64decode(public_key.removeprefix(PUBLIC), validate=True)
    essence = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    thumbprint = hashlib.sha256(json.dumps(essence, separators=(",", ":"), sort_keys=True).encode()).digest()
    return {**essence, "kid": _base64url(thumbprint), "use": "sig", "alg": "EdDSA"}


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _seed(key: str) -> bytes:
    try:
        raw = base64.b64decode(key.removeprefix(PRIVATE), validate=True)
    except binascii.Error:
        raw = b""
    # Some libraries keep the public half behind the seed.
    if not key.startswith(PRIVATE) or len(raw) not in (SEED_BYTES, 2 * SEED_BYTES):
        raise Misconfigured(
            "AUDITCAST_SIGNING_KEYS holds something that is no key: make one with 'auditcast keys new --signing', and"
            " put commas between several"
        )
    return raw[:SEED_BYTES]


def _derived(sealing_key: str) -> bytes:
    raw = base64.urlsafe_b64decode(sealing_key)
    return HKDF(algorithm=SHA256(), length=SEED_BYTES, salt=None, info=b"auditcast-signing-v1").derive(raw)
