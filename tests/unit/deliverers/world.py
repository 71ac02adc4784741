"""A destination at a receiver that misbehaves, over real TLS; a view of the destinations stands in for Kafka."""

import base64
import json
import ssl
from ipaddress import ip_network
from typing import Any

import standardwebhooks
import trustme
from msgspec.structs import replace

from auditcast.deliverers.attempts import Sender
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.courier import Courier
from auditcast.deliverers.destinations import Destinations
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Piece
from auditcast.deliverers.transport import Limits, Transport
from auditcast.schemas.chain import body_digest
from auditcast.schemas.records import Batch, Delivery, Revision, SealedHeader
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, new_signing_key
from auditcast.schemas.wire import encode
from tests.bodies import numbered
from tests.hostile import Hostile, Request, Said
from tests.unit.deliverers.parcels import batch, parcel

LOOPBACK = (ip_network("127.0.0.0/8"),)
SEALER = Sealer([new_key()])
SIGNER = Signer([new_signing_key()])
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
FIRST, LAST = 101, 108
EVENTS = [b'{"id":"%d"}' % number for number in range(FIRST, LAST + 1)]
BODY = numbered(EVENTS, FIRST)
BATCH = replace(batch(), first_event=FIRST, last_event=LAST, body=BODY, body_sha256=body_digest(BODY))
TOLD = replace(BATCH, format="telling/1")
"""Its receiver tells of single events."""
HALF = len(numbered(EVENTS[:4], FIRST))
"""Bytes of a half; those of a quarter and of one event follow."""
QUARTER, ONE = len(numbered(EVENTS[:2], FIRST)), len(numbered(EVENTS[:1], FIRST))


class World:
    """One destination at a receiver, and a courier."""

    def __init__(self, ca: trustme.CA, receiver: Hostile) -> None:
        context = ssl.create_default_context()
        ca.configure_trust(context)
        guard = Guard(LOOPBACK, 1)
        self.receiver = receiver
        self.values: dict[bytes, bytes] = {}
        self.metrics = Metrics()
        self.connections = Connections(lambda: Transport(context, guard, Limits(5, 5, 5, 5)), 4)
        destinations = Destinations(self.values.get, SEALER, LOOPBACK)
        sender = Sender(self.connections, SIGNER, self.metrics, agent="auditcast/0", origin="")
        self.courier = Courier(destinations, sender, wait_s=0)

    def register(self, path: str, number: int = 1, **more: Any) -> None:
        """Have the destination lead to `path` of the receiver; `more` is what else its revision has."""
        revision = Revision(
            destination="dst_1",
            number=number,
            nonce="00",
            state="active",
            changed_at=0,
            url=self.receiver.url(path),
            headers=[SealedHeader("Authorization", SEALER.seal("dst_1/headers/authorization", "Bearer sesame"))],
            secret=SEALER.seal("dst_1/secret", SECRET),
            epoch="e",
        )
        self.values[b"dst_1"] = encode(replace(revision, **more))

    def says(self, parts: dict[str, object] | None = None, **whole: object) -> None:
        """Have `/says` tell of single events, as telling.Telling has it, in each of some parts or in any request.

        What is larger than `limit` is too large.
        """

        def answer(request: Request) -> Said:
            if len(request.body) > self.receiver.limit:
                return Said(413, b"null")
            return Said(200, json.dumps(whole if parts is None else parts[request.headers["webhook-id"]]).encode())

        self.receiver.says = answer

    async def deliver(self, content: Batch | None = BATCH, delivery: Delivery | None = None) -> list[Piece]:
        """One delivery; whatever was sent was signed."""
        pieces = await self.courier.deliver(parcel(content, delivery=delivery))
        for request in self.receiver.requests:
            if request.method == "POST" and "content-encoding" not in request.headers:
                standardwebhooks.Webhook(SECRET).verify(request.body, request.headers)
        return pieces
