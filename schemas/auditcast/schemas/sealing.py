"""Secrets at rest, and proof that a record is the pipeline's own. Keys come from the environment only.

A sealed value names its place (`dst_1/secret`), so that one copied to another destination does not open there.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from auditcast.schemas.errors import Misconfigured, Refused, WrongSealingKey

_KEY = re.compile(r"[A-Za-z0-9+/_-]{43}=")
"""32 bytes in base64."""


class Forged(Refused):
    """A record that claims to be the pipeline's own and is not signed with one of its keys."""

    reason = "forged"


def new_key() -> str:
    """A fresh sealing key, as it stands in the environment."""
    return Fernet.generate_key().decode()


class Sealer:
    """Seals with the first of `keys` and opens with any, so that keys can be rotated."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise Misconfigured("AUDITCAST_SEALING_KEYS is empty: set it to a key made by 'auditcast keys new'")
        # Python's decoder passes over what is no base64: of two keys with a wrong separator it would see the first.
        if not all(_KEY.fullmatch(key) for key in keys):
            raise Misconfigured(
                "AUDITCAST_SEALING_KEYS holds something that is no key: make one with 'auditcast keys new', and put"
                " commas between several"
            )
        raw = [base64.urlsafe_b64decode(key) for key in keys]
        self._fernet = MultiFernet([Fernet(key) for key in keys])
        self._mac_keys = [
            HKDF(algorithm=SHA256(), length=32, salt=None, info=b"auditcast-control-v1").derive(key) for key in raw
        ]

    def seal(self, place: str, value: str) -> bytes:
        """`value`, readable only with a key and only at `place`."""
        return self._fernet.encrypt(f"{place}\n{value}".encode())

    def open(self, place: str, sealed: bytes) -> str:
        """The value sealed at `place`; raises `WrongSealingKey`."""
        try:
            where, _, value = self._fernet.decrypt(sealed).decode().partition("\n")
        except InvalidToken:
            raise WrongSealingKey(
                f"{place} was sealed with a key that AUDITCAST_SEALING_KEYS lacks: add that key to the list"
            ) from None
        if where != place:
            raise WrongSealingKey(f"the value sealed at {place} belongs to {where}: set it anew")
        return value

    def sign(self, *parts: bytes) -> bytes:
        """A MAC over `parts`, each with its length, so that no two lists read the same."""
        return self._mac(self._mac_keys[0], parts)

    def verify(self, mac: bytes, *parts: bytes) -> None:
        """Return if `mac` was made here with any of the keys; else raise `Forged`."""
        if not any(hmac.compare_digest(mac, self._mac(key, parts)) for key in self._mac_keys):
            raise Forged("the record is not signed with any of AUDITCAST_SEALING_KEYS: find out who wrote it")

    @staticmethod
    def _mac(key: bytes, parts: Sequence[bytes]) -> bytes:
        mac = hmac.new(key, digestmod=hashlib.sha256)
        for part in parts:
            mac.update(len(part).to_bytes(8, "big"))
            mac.update(part)
        return mac.digest()
