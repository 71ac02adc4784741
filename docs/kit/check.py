"""Checks what auditcast delivers. Python 3.9 or newer, and `cryptography` if you check by public keys."""

import base64
import gzip
import hashlib
import hmac
import time

TOLERANCE_S = 300
FIRST = "0" * 64
CHAINED = ("stream", "sequence", "events", "opened", "format")


class Refused(ValueError):
    """Answer 401, or 400: it is not genuine, or damaged."""


def check(headers, body, *, secrets=(), public_keys=(), now=None):
    """The unpacked body of a genuine delivery; raises Refused for any other.

    `headers` by lower-case name, `body` the bytes as they came, before unpacking and parsing. One signature that fits
    one of `secrets` (`whsec_…`) or `public_keys` (`whpk_…`) is enough, so that either side may be rotated.
    """
    needed = ("webhook-id", "webhook-timestamp", "webhook-signature")
    for name in needed:
        if name not in headers:
            raise Refused(f"missing header {name}")
    message_id, sent, signatures = (headers[name] for name in needed)
    now = time.time() if now is None else now
    if not (sent.isascii() and sent.isdigit() and len(sent) < 12 and abs(now - int(sent)) <= TOLERANCE_S):
        raise Refused("too old, or a clock is wrong")
    signed = f"{message_id}.{sent}.".encode() + body
    if not any(_fits(one, signed, secrets, public_keys) for one in signatures.split()):
        raise Refused("wrong signature")
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    if "x-audit-sequence" in headers:
        _check_chain(headers, body)
    return body


def check_body(headers, body, *, secrets):
    """The simpler signature, over the bytes alone; use it if you must, since it does not stop replays."""
    given = [headers[name] for name in ("x-webhook-signature", "x-webhook-signature-next") if name in headers]
    if not given:
        raise Refused("missing header x-webhook-signature")
    expected = ["sha256=" + hmac.digest(_key(secret), body, "sha256").hex() for secret in secrets]
    if not any(hmac.compare_digest(a.encode(), b.encode()) for a in given for b in expected):
        raise Refused("wrong signature")


def _key(text, prefix="whsec_"):
    raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    if len(raw) < 24:  # with an empty key, anybody could sign
        raise ValueError(f"there is no key: it should begin with {prefix}")
    return raw


def _fits(signature, signed, secrets, public_keys):
    version, _, value = signature.partition(",")
    if version == "v1":
        expected = [base64.b64encode(hmac.digest(_key(secret), signed, "sha256")) for secret in secrets]
        return any(hmac.compare_digest(one, value.encode()) for one in expected)
    return version == "v1a" and any(_fits_public(value, signed, key) for key in public_keys)


def _fits_public(value, signed, key):
    from cryptography.exceptions import InvalidSignature  # here, so that secrets need no library
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(_key(key, "whpk_")).verify(base64.b64decode(value), signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def _check_chain(headers, body):
    stream, sequence, *_ = told = [headers.get(f"x-audit-{name}", "") for name in CHAINED]
    # The signature covers webhook-id, and through it the place in the chain.
    numbers, _, parent = headers.get("x-audit-part", "").partition("; parent=")
    if headers["webhook-id"] != f"{stream}-{sequence}" + (f"-{numbers}" if numbers else ""):
        raise Refused("not the batch that was signed")
    sha256 = parent or hashlib.sha256(body).hexdigest()
    rest = (headers.get("x-audit-gap", ""), headers.get("x-audit-previous-digest", ""))
    lines = "".join(f"{line}\n" for line in ("auditcast-chain-v1", *told, sha256, *rest))
    if hashlib.sha256(lines.encode()).hexdigest() != headers.get("x-audit-digest"):
        raise Refused("wrong digest")


class Arrivals:
    """What has come of all streams. In memory here: keep it where you keep the deliveries."""

    def __init__(self):
        self.ids = {}
        self.streams = {}

    def take(self, headers):
        """What a checked delivery is, seen from those before it:

        next      it follows what is here
        early     a batch before it is still to come (see `missing`): keep it
        apart     a test, a part or a manifest, which have no place in the sequence: keep it
        repeat    it is here: answer 2xx and drop it
        conflict  it contradicts what is here: keep it and raise an alarm; it never happens by itself
        """
        message_id, digest = headers["webhook-id"], headers.get("x-audit-digest", "")
        if message_id in self.ids:
            return "repeat" if self.has(headers) else "conflict"
        self.ids[message_id] = digest
        if "x-audit-sequence" not in headers or "x-audit-part" in headers:
            return "apart"
        batches = self.streams.setdefault(headers["x-audit-stream"], {0: ("", FIRST)})
        sequence, previous = int(headers["x-audit-sequence"]), headers["x-audit-previous-digest"]
        batches[sequence] = (previous, digest)
        before, after = batches.get(sequence - 1), batches.get(sequence + 1)
        if (before and before[1] != previous) or (after and after[0] != digest):
            return "conflict"
        return "next" if before else "early"

    def has(self, headers):
        """Whether it is a repeat. Ask this, then keep it, then `take` it, lest what could not be kept looks kept."""
        return self.ids.get(headers["webhook-id"]) == headers.get("x-audit-digest", "")

    def missing(self, stream):
        """The sequence numbers between the batches of `stream` that have not come."""
        batches = self.streams[stream]
        return [number for number in range(max(batches)) if number not in batches]
