"""The headers of a delivery. Pure."""

from auditcast.deliverers.parts import Part, part_id
from auditcast.deliverers.signing import body_signature, message_signature
from auditcast.schemas.records import Batch

Headers = list[tuple[str, str]]


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
) -> Headers:
    """All headers of one attempt to send `batch`, or a `part` of it, at `now` in seconds.

    `custom` are the destination's own; their names are none of the system's (schemas/destinations.py). `replay` is the
    id of the replay that this belongs to, if any.
    """
    part = part or Part(0, 0, batch.body)
    message_id = part_id(batch, part.first_event, part.last_event)
    return [
        *custom,
        ("Content-Type", content_type),
        ("User-Agent", agent),
        # Answers are kept as they come, never unpacked.
        ("Accept-Encoding", "identity"),
        ("X-Webhook-Id", batch.destination),
        ("X-Webhook-Signature", body_signature(key, part.body)),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(now)),
        ("webhook-signature", message_signature(key, message_id, now, part.body)),
        *(() if batch.is_test else _chain(batch)),
        *((("X-Audit-Part", _place(batch, part)),) if part.first_event else ()),
        *((("X-Audit-Replay", replay),) if replay else ()),
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


def _place(batch: Batch, part: Part) -> str:
    """Which events these are, and what all parts together must be, which is in the chain."""
    return f"{part.first_event}-{part.last_event}; parent={batch.body_sha256}"
