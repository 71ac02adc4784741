"""The headers of a delivery. Pure."""

from auditcast.deliverers.signing import body_signature, message_signature
from auditcast.schemas.records import Batch

Headers = list[tuple[str, str]]


def headers(  # noqa: PLR0913  (a request is made of exactly these)
    batch: Batch, *, custom: Headers, key: bytes, content_type: str, agent: str, now: int
) -> Headers:
    """All headers of one attempt to send `batch`, at `now` in seconds.

    `custom` are the destination's own; their names are none of the system's (schemas/destinations.py).
    """
    return [
        *custom,
        ("Content-Type", content_type),
        ("User-Agent", agent),
        # Answers are kept as they come, never unpacked.
        ("Accept-Encoding", "identity"),
        ("X-Webhook-Id", batch.destination),
        ("X-Webhook-Signature", body_signature(key, batch.body)),
        ("webhook-id", batch.id),
        ("webhook-timestamp", str(now)),
        ("webhook-signature", message_signature(key, batch.id, now, batch.body)),
        *(() if batch.is_test else _chain(batch)),
    ]


def _chain(batch: Batch) -> Headers:
    """Everything that a receiver needs, beside the body, to compute the digest (schemas/chain.py)."""
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
