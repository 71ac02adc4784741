"""The hash chain over a stream's batches: what makes completeness provable.

The digest of a batch is SHA-256 over the lines of `text`, so that anybody can compute it from what the receiver got.
"""

import hashlib

from auditcast.schemas.records import Batch

GENESIS = "0" * 64
"""The previous digest of a stream's first batch."""

NO_GAP = "-"


def body_digest(body: bytes) -> str:
    """SHA-256 of an uncompressed body, in hex."""
    return hashlib.sha256(body).hexdigest()


def link_digest(  # noqa: PLR0913  (the chain covers exactly these)
    *,
    stream: str,
    sequence: int,
    first_event: int,
    last_event: int,
    opened: int,
    format: str,  # noqa: A002  (the record's field)
    body_sha256: str,
    gap: str,
    previous_digest: str,
) -> str:
    """The digest, in hex, of one batch: `opened` in ms, `gap` as `from-to` in ms or `-`."""
    text = (
        f"auditcast-chain-v1\n{stream}\n{sequence}\n{first_event}-{last_event}\n{opened}\n{format}\n"
        f"{body_sha256}\n{gap}\n{previous_digest}\n"
    )
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of(batch: Batch) -> str:
    """The digest that `batch` must carry, computed anew from its body."""
    return link_digest(
        stream=batch.stream,
        sequence=batch.sequence,
        first_event=batch.first_event,
        last_event=batch.last_event,
        opened=batch.opened,
        format=batch.format,
        body_sha256=body_digest(batch.body),
        gap=batch.gap,
        previous_digest=batch.previous_digest,
    )


def stream_name(destination: str, partition: int, epoch: str) -> str:
    """A destination within a partition of the events topic; `epoch` keeps a rebuilt system from reusing a name."""
    return f"{destination}-{partition}-{epoch}"


def destination_of(stream: str) -> str:
    """The destination that a stream's name begins with; an id may have hyphens, what follows it has none."""
    return stream.rsplit("-", 2)[0]


def stream_epoch(revision_epoch: str, offset: int, timestamp: int) -> str:
    """The epoch of the stream that a control record at `offset`, stamped `timestamp` ms, begins.

    It follows from the log, so that a crash changes nothing, and is another one wherever the log or the state is.
    """
    return hashlib.sha256(f"{revision_epoch}\n{offset}\n{timestamp}".encode()).hexdigest()[:16]


def batch_id(stream: str, sequence: int) -> str:
    """The batch's `webhook-id`: the same at every attempt, and free of dots, as Standard Webhooks asks."""
    return f"{stream}-{sequence}"
