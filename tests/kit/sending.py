"""Deliveries as a deliverer makes them, for receivers that are not ours."""

import gzip
import json
from collections.abc import Mapping, Sequence
from secrets import token_hex

from msgspec import Struct
from msgspec.structs import replace

from auditcast.deliverers import request
from auditcast.deliverers.parts import Part
from auditcast.deliverers.signing import key_of
from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, body_digest, digest_of
from auditcast.schemas.records import Batch
from auditcast.schemas.signing_keys import Signer
from tests.bodies import joined, place

SECRET = "whsec_yHO1gppk16zaNviOFGRSQqVSXacvgI+VoR8j16mb08c="
NEXT_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD0qFK3TfGbXk="
NOW = 1_736_937_030


class Request(Struct, frozen=True):
    """What a receiver gets: headers by lower-case name, the bytes as they came, and what they hold unpacked."""

    headers: Mapping[str, str]
    body: bytes
    content: bytes


def event(number: int) -> bytes:
    """An event as it lies in the log."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"aud_{number}",
            "source": "https://atmos-pro.com/workspaces/ws_1",
            "type": "pro.atmos.workspace.created",
            "time": "2025-01-15T10:30:00.123Z",
            "datacontenttype": "application/json",
            "data": {
                "actor": {"id": "usr_1", "type": "user", "name": "Zoë 🦉"},
                "action": {"category": "workspace", "action": "created"},
                "target": None,
                "description": None,
                "metadata": {},
                "outcome": "success",
            },
            "workspaceid": "ws_1",
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def chained(
    *counts: int, stream: str = "", form: str = "cloudevents/2", gaps: Mapping[int, str] | None = None
) -> list[Batch]:
    """The first batches of a stream, a new one if none is named, with so many events in each."""
    stream = stream or f"dst_1-3-{token_hex(8)}"
    batches: list[Batch] = []
    digest, last = GENESIS, 0
    for sequence, count in enumerate(counts, 1):
        gap = (gaps or {}).get(sequence, NO_GAP)
        opened = (NOW - 30) * 1000 + sequence
        at = place(last + 1, stream=stream, sequence=sequence, opened=opened, gap=gap, previous_digest=digest)
        body = joined(form, [event(last + number) for number in range(1, count + 1)], at)
        batch = Batch(
            id=batch_id(stream, sequence),
            destination="dst_1",
            revision_number=1,
            revision_nonce="",
            stream=stream,
            sequence=sequence,
            first_event=last + 1,
            last_event=last + count,
            partition=3,
            first_offset=sequence,
            last_offset=sequence,
            opened=opened,
            format=form,
            gap=gap,
            body_sha256=body_digest(body),
            previous_digest=digest,
            digest="",
            body=body,
        )
        digest, last = digest_of(batch), last + count
        batches.append(replace(batch, digest=digest))
    return batches


def sent(
    batch: Batch,
    *,
    now: int = NOW,
    part: Part | None = None,
    next_secret: str = "",
    signer: Signer | None = None,
    packed: bool = False,
) -> Request:
    """A delivery of `batch`, or of a `part` of it."""
    content = (part or batch).body
    body = gzip.compress(content, mtime=0) if packed else None
    headers = request.headers(
        batch,
        custom=[],
        key=key_of(SECRET),
        content_type="application/json",
        agent="auditcast/0",
        now=now,
        part=part,
        next_key=key_of(next_secret) if next_secret else b"",
        sign=signer.sign if signer else None,
        packed=body,
    )
    return Request({name.lower(): value for name, value in headers}, content if body is None else body, content)


def order(*indices: int, of: Sequence[Batch]) -> list[Request]:
    """Deliveries of some of the batches `of`, in the order of `indices`."""
    return [sent(of[index]) for index in indices]
