"""The headers of a delivery, and of the question whether its receiver consents to it. Pure."""

from auditcast.deliverers.parts import Part, part_id
from auditcast.deliverers.signing import Sign, body_signature, message_signature, platform_signature
from auditcast.schemas.records import Batch

Headers = list[tuple[str, str]]

ORIGIN = "WebHook-Request-Origin"
RATE = "WebHook-Request-Rate"


def headers(  # noqa: PLR0913  (a request is made of exactly these)
    batch: Batch,
    *,
    custom: Headers,
    key: bytes,
    content_type: str,
    agent: str,
    now: int,
    part: Part | None = None,
    replay: str = "",
    next_key: bytes = b"",
    sign: Sign | None = None,
    packed: bytes | None = None,
    origin: str = "",
) -> Headers:
    """All headers of one attempt to send `batch`, or a `part` of it, at `now` in seconds.

    `custom` are the destination's own; their names are none of the system's (schemas/destinations.py). `replay` is the
    id of the replay that this belongs to, if any. While the secret is being rotated, `next_key` is the new one. `sign`
    makes the platform's signature, if the destination wants it. `packed` is the body with gzip, if that is what is
    sent. `origin` says who sends, to a receiver that was asked for its consent.
    """
    part = part or Part(0, 0, batch.body)
    body = part.body if packed is None else packed
    message_id = part_id(batch, part.first_event, part.last_event)
    signatures = [message_signature(each, message_id, now, body) for each in (next_key, key) if each]
    if sign is not None:
        signatures.append(platform_signature(sign, message_id, now, body))
    return [
        *custom,
        ("Content-Type", content_type),
        *((("Content-Encoding", "gzip"),) if packed is not None else ()),
        ("User-Agent", agent),
        # Answers are kept as they come, never unpacked.
        ("Accept-Encoding", "identity"),
        *(((ORIGIN, origin),) if origin else ()),
        ("X-Webhook-Id", batch.destination),
        # It holds one value, so the old one as long as receivers may know no other.
        ("X-Webhook-Signature", body_signature(key, body)),
        *((("X-Webhook-Signature-Next", body_signature(next_key, body)),) if next_key else ()),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(now)),
        ("webhook-signature", " ".join(signatures)),
        *_place(batch),
        *((("X-Audit-Part", _part(batch, part)),) if part.first_event else ()),
        *((("X-Audit-Replay", replay),) if replay else ()),
    ]


def question(destination: str, *, custom: Headers, agent: str, origin: str, rate: int) -> Headers:
    """The headers of the question whether `origin` may send, `rate` requests a minute."""
    return [
        *custom,
        ("User-Agent", agent),
        ("Accept-Encoding", "identity"),
        ("X-Webhook-Id", destination),
        (ORIGIN, origin),
        (RATE, str(rate)),
    ]


def _place(batch: Batch) -> Headers:
    """Everything that a receiver needs, beside the body, to compute the digest (schemas/chain.py, manifests.py)."""
    if batch.is_test:
        return []
    if batch.is_manifest:
        return [
            ("X-Audit-Stream", batch.stream),
            ("X-Audit-Manifest", batch.digest),
            ("X-Audit-Previous-Manifest", batch.previous_digest),
            ("X-Audit-Format", batch.format),
        ]
    return [
        ("X-Audit-Stream", batch.stream),
        ("X-Audit-Sequence", str(batch.sequence)),
        ("X-Audit-Events", f"{batch.first_event}-{batch.last_event}"),
        ("X-Audit-Opened", str(batch.opened)),
        ("X-Audit-Format", batch.format),
        ("X-Audit-Gap", batch.gap),
        ("X-Audit-Previous-Digest", batch.previous_digest),
        ("X-Audit-Digest", batch.digest),
    ]


def _part(batch: Batch, part: Part) -> str:
    """Which events these are, and what all parts together must be, which is in the chain."""
    return f"{part.first_event}-{part.last_event}; parent={batch.body_sha256}"
