"""The secrets and public keys that an auditor gives, and what they say of a delivery's signatures. Pure."""

import base64
import gzip
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from auditcast.console.verifying.findings import Kind
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.signing_keys import PUBLIC, genuine

SIGNATURES = "webhook-signature"
SECRET = "whsec_"  # noqa: S105  (what a secret begins with)
_KEY_BYTES = 32
_TIMESTAMP = re.compile("[0-9]{1,15}")

_GZIP_LEVEL = 6
"""The deliverer's: what it packs can be packed again, to the same bytes if the libraries are alike."""


class NotAKey(AuditcastError):
    """What was given as a key is none."""


class Keys:
    """Without secrets and public keys no signature is looked at."""

    def __init__(self, secrets: Sequence[str] = (), public_keys: Sequence[str] = ()) -> None:
        """`secrets` (`whsec_…`) and `public_keys` (`whpk_…`); raises `NotAKey`."""
        self._secrets = [_raw(secret, SECRET, "the secret", None) for secret in secrets]
        for key in public_keys:
            _raw(key, PUBLIC, "the public key", _KEY_BYTES)
        self.public_keys = list(public_keys)

    @property
    def given(self) -> bool:
        """Whether deliveries are to be signed with one of the secrets."""
        return bool(self._secrets)

    def fault(self, headers: Mapping[str, str], body: bytes) -> Kind | None:
        """What is wrong with the signatures of a delivery, by `headers` in lower case and the `body` as it came.

        Each kind of signature that there is and a key was given for must be right; with secrets, there must be one.
        """
        if self._secrets and SIGNATURES not in headers:
            # The other signature is over the body alone: it would do for any place in any chain.
            return Kind.UNSIGNED
        if not self.fit(headers):
            return None
        stamped = headers.get("webhook-timestamp", "")
        if not _TIMESTAMP.fullmatch(stamped):
            # Dots stand between what is signed: with one in it, the time could be the beginning of a body cut off.
            return Kind.FORGED
        prefix = f"{headers.get('webhook-id', '')}.{stamped}.".encode()
        told = headers[SIGNATURES]
        if any(
            self._signed(prefix, each, _values(told, "v1"), _values(told, "v1a")) for each in _as_sent(headers, body)
        ):
            return None
        # Of a body that was unpacked other bytes were signed than are here.
        return Kind.UNVERIFIABLE if _was_packed(headers, body) else Kind.FORGED

    def fit(self, headers: Mapping[str, str]) -> bool:
        """Whether the keys that were given say anything about this delivery."""
        return bool(self._secrets or (self.public_keys and _values(headers.get(SIGNATURES, ""), "v1a")))

    def signed(self, content: bytes, signature: str, key: str) -> bool:
        """Whether `signature` of `content` is by `key`, one of the public keys given."""
        return key in self.public_keys and genuine(key, content, signature)

    def _signed(self, prefix: bytes, body: bytes, symmetric: Sequence[str], public: Sequence[str]) -> bool:
        content = prefix + body
        if self._secrets:
            given = [value.encode() for value in symmetric]
            expected = (base64.b64encode(hmac.digest(key, content, "sha256")) for key in self._secrets)
            if not any(hmac.compare_digest(one, value) for one in expected for value in given):
                return False
        if self.public_keys and public:
            return any(genuine(key, content, value) for key in self.public_keys for value in public)
        return True


def _values(told: str, version: str) -> list[str]:
    """The signatures of one kind among those of a delivery."""
    return [value for name, _, value in (one.partition(",") for one in told.split()) if name == version]


def _was_packed(headers: Mapping[str, str], body: bytes) -> bool:
    return headers.get("content-encoding") == "gzip" and not body.startswith(b"\x1f\x8b")


def _as_sent(headers: Mapping[str, str], body: bytes) -> Iterator[bytes]:
    """The bytes that may have been signed: many servers unpack a body before anybody can keep it."""
    yield body
    if _was_packed(headers, body):
        yield gzip.compress(body, _GZIP_LEVEL, mtime=0)


def secrets_in(text: str) -> list[str]:
    """The secrets in a file, one a line."""
    return _lines(text)


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def public_keys_in(text: str) -> list[str]:
    """The keys in a file: lines of `whpk_…`, or a JWKS; raises `NotAKey`."""
    if not text.lstrip().startswith("{"):
        return _lines(text)
    try:
        told = json.loads(text)["keys"]
        raws = [_unpadded(key["x"]) for key in told if key.get("crv") == "Ed25519"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise NotAKey("the file of public keys is no JWKS: write it with 'auditcast keys public --json'") from None
    return [PUBLIC + base64.b64encode(raw).decode() for raw in raws]


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _raw(text: str, prefix: str, name: str, size: int | None) -> bytes:
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        raw = b""
    if not text.startswith(prefix) or not raw or (size is not None and len(raw) != size):
        raise NotAKey(f"{name} is none: it begins with {prefix}, and the rest is Base64")
    return raw
