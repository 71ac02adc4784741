"""Deliveries as a receiver keeps them, made for tests: of a stream that batches, signs, splits, and has manifests.

Signed from the description of Standard Webhooks, not with the deliverer's own code. Everything follows from what is
given: no clock, no chance.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec.structs import replace

from auditcast.schemas.attributes import time_text
from auditcast.schemas.chain import GENESIS, NO_GAP, batch_id, body_digest, destination_of, digest_of
from auditcast.schemas.events import Action, Actor, CloudEvent, Data, Target, encode
from auditcast.schemas.formats import FORMATS, Place, rendering
from auditcast.schemas.manifests import FIRST, HOUR_MS
from auditcast.schemas.manifests import digest_of as manifest_digest
from auditcast.schemas.manifests import text as manifest_text
from auditcast.schemas.records import Batch, Manifest, Note, Option
from auditcast.schemas.signing_keys import Signer

BEGAN = 1_763_690_400_000
"""2025-11-21T02:00:00Z, a whole hour."""


def secret(mark: int) -> str:
    """A secret that is told from others by `mark`."""
    return "whsec_" + base64.b64encode(bytes([mark]) * 32).decode()


def signer(mark: int) -> Signer:
    """The same for a signing key."""
    return Signer(["whsk_" + base64.b64encode(bytes([mark]) * 32).decode()])


SECRET, NEXT_SECRET, OTHER_SECRET = secret(1), secret(2), secret(9)
SIGNER, OTHER_SIGNER = signer(3), signer(8)
[PUBLIC_KEY] = SIGNER.public_keys


@dataclass(frozen=True)
class Delivery:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    def line(self) -> str:
        """As a line of JSON."""
        return json.dumps({"headers": self.headers, "body": self.body.decode()}, ensure_ascii=False)

    def but(self, body: bytes | None = None, **headers: str | None) -> "Delivery":
        """Changed in some headers (named with underscores; None: without it), or in its body; signed as before."""
        given = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        kept = {name: given.pop(name.lower(), value) for name, value in self.headers.items()} | given
        return Delivery(
            {name: value for name, value in kept.items() if value is not None}, self.body if body is None else body
        )


def event(
    number: int,
    destination: str = "dst_a",
    description: str | None = None,
    metadata: Mapping[str, Any] = MappingProxyType({"to": "admin", "from": "viewer"}),
) -> bytes:
    """An event as it lies in the log, not yet numbered."""
    workspace = f"ws_{destination[4:]}"
    made = CloudEvent(
        specversion="1.0",
        id=f"aud_{hashlib.sha256(f'{destination}{number}'.encode()).hexdigest()[:32]}",
        source=f"https://atmos-pro.com/workspaces/{workspace}",
        type="pro.atmos.team_member.role_changed",
        time=time_text(BEGAN + number * 1000),
        subject=f"usr_{number}",
        datacontenttype="application/json",
        data=Data(
            actor=Actor(id="usr_1", type="user", name="Zoë"),
            action=Action(category="team_member", action="role_changed"),
            target=Target(type="user", id=f"usr_{number}"),
            description=description,
            metadata=dict(metadata),
            outcome="success",
        ),
        workspaceid=workspace,
    )
    return encode(made)


@dataclass
class Sender:
    """One stream of one destination; it batches, and delivers, as the platform would."""

    stream: str = "dst_a-3-00ff00ff00ff00ff"
    form: str = "cloudevents/2"
    options: Sequence[Option] = ()
    secrets: Sequence[str] = (SECRET,)
    asymmetric: bool = False
    signer: Signer = SIGNER
    now: int = BEGAN
    batches: list[Batch] = field(default_factory=list)
    manifests: list[Manifest] = field(default_factory=list)

    @property
    def destination(self) -> str:
        """Whose stream it is."""
        return destination_of(self.stream)

    def batch(self, events: int | Sequence[bytes], gap: str = NO_GAP) -> Batch:
        """The next batch, of so many events, or of these."""
        newest = self.batches[-1] if self.batches else None
        first = newest.last_event + 1 if newest else 1
        if isinstance(events, int):
            events = [event(number, self.destination) for number in range(first, first + events)]
        self.now += 30_000
        place = Place(
            stream=self.stream,
            sequence=len(self.batches) + 1,
            first_event=first,
            opened=self.now,
            gap=gap,
            previous_digest=newest.digest if newest else GENESIS,
        )
        made = self._batch(place, batch_id(self.stream, place.sequence), events)
        made = replace(made, digest=digest_of(made))
        self.batches.append(made)
        return made

    def _batch(self, place: Place, identity: str, events: Sequence[bytes]) -> Batch:
        form = rendering(self.form, self.options)
        decoded = [msgspec.json.decode(each, type=CloudEvent) for each in events]
        body = form.join([form.render(*pair) for pair in zip(decoded, events, strict=True)], place)
        return Batch(
            id=identity,
            destination=self.destination,
            revision_number=1,
            revision_nonce="",
            stream=place.stream,
            sequence=place.sequence,
            first_event=place.first_event,
            last_event=place.first_event + len(events) - 1 if place.sequence else 0,
            partition=3,
            first_offset=0,
            last_offset=0,
            opened=place.opened,
            format=self.form,
            gap=place.gap,
            body_sha256=body_digest(body),
            previous_digest=place.previous_digest,
            digest="",
            body=body,
        )

    def deliver(self, batch: Batch) -> Delivery:
        """The whole batch."""
        return self._signed(batch.id, batch.body, chain_headers(batch))

    def part(self, batch: Batch, first: int, last: int) -> Delivery:
        """The events `first` to `last` of the batch, as after a 413."""
        pieces = FORMATS[batch.format].pieces(batch.body)
        body = pieces.body(first - batch.first_event, last - batch.first_event)
        own = {"X-Audit-Part": f"{first}-{last}; parent={batch.body_sha256}"}
        return self._signed(f"{batch.id}-{first}-{last}", body, chain_headers(batch) | own)

    def test(self) -> Delivery:
        """What `auditcast destinations test` sends."""
        place = Place(stream="", sequence=0, first_event=0, opened=self.now, gap=NO_GAP, previous_digest="")
        made = self._batch(place, f"test-{place.opened:016x}", [event(0, self.destination)])
        return self._signed(made.id, made.body, {})

    def manifest(self, until: int, notes: Sequence[Note] = (), *, final: bool = False) -> Manifest:
        """The next manifest, of all batches since the last one; `until` in hours after the stream began."""
        before = self.manifests[-1] if self.manifests else None
        newest = self.batches[-1] if self.batches else None
        last = newest.sequence if newest else 0
        bare = Manifest(
            stream=self.stream,
            destination=self.destination,
            since=before.until if before else BEGAN,
            until=BEGAN + until * HOUR_MS,
            first_sequence=before.last_sequence + 1 if before else 1,
            last_sequence=last,
            first_event=before.last_event + 1 if before else 1,
            last_event=newest.last_event if newest else 0,
            opening_digest=before.closing_digest if before else GENESIS,
            closing_digest=newest.digest if newest else GENESIS,
            final=final,
            notes=list(notes),
            previous=before.digest if before else FIRST,
            digest="",
            key="",
            signature="",
        )
        made = signed(bare, self.signer)
        self.manifests.append(made)
        return made

    def deliver_manifest(self, manifest: Manifest) -> Delivery:
        """As the destination gets it, if it asked for manifests."""
        place = Place(
            stream=self.stream,
            sequence=0,
            first_event=0,
            opened=manifest.until,
            gap=NO_GAP,
            previous_digest=manifest.closing_digest,
        )
        made = self._batch(place, f"{self.stream}-manifest-{manifest.until}", [_manifest_event(manifest)])
        told = {
            "X-Audit-Stream": self.stream,
            "X-Audit-Manifest": manifest.digest,
            "X-Audit-Previous-Manifest": manifest.previous,
            "X-Audit-Format": self.form,
        }
        return self._signed(made.id, made.body, told)

    def _signed(self, identity: str, body: bytes, told: dict[str, str]) -> Delivery:
        """With the secrets of now: one, or during a rotation the old one and the next."""
        keys = [base64.b64decode(each.removeprefix("whsec_")) for each in self.secrets]
        content = f"{identity}.{self.now // 1000}.".encode() + body
        signatures = [f"v1,{base64.b64encode(hmac.digest(key, content, 'sha256')).decode()}" for key in reversed(keys)]
        if self.asymmetric:
            signatures.append(f"v1a,{self.signer.sign(content)}")
        return Delivery(
            {
                "Content-Type": "application/json",
                "User-Agent": "auditcast/0.1.0",
                "X-Webhook-Id": self.destination,
                **{
                    f"X-Webhook-Signature{suffix}": f"sha256={hmac.digest(key, body, 'sha256').hex()}"
                    for suffix, key in zip(("", "-Next"), keys, strict=False)
                },
                "webhook-id": identity,
                "webhook-timestamp": str(self.now // 1000),
                "webhook-signature": " ".join(signatures),
                **told,
            },
            body,
        )


def chain_headers(batch: Batch) -> dict[str, str]:
    """What places a batch in its chain."""
    return {
        "X-Audit-Stream": batch.stream,
        "X-Audit-Sequence": str(batch.sequence),
        "X-Audit-Events": f"{batch.first_event}-{batch.last_event}",
        "X-Audit-Opened": str(batch.opened),
        "X-Audit-Format": batch.format,
        "X-Audit-Gap": batch.gap,
        "X-Audit-Previous-Digest": batch.previous_digest,
        "X-Audit-Digest": batch.digest,
    }


def signed(manifest: Manifest, by: Signer) -> Manifest:
    """The manifest with its own digest, and a signature of `by`."""
    bare = replace(manifest, key=by.public_keys[0])
    return replace(bare, digest=manifest_digest(bare), signature=by.sign(manifest_text(bare)))


def _manifest_event(manifest: Manifest) -> bytes:
    made = CloudEvent(
        specversion="1.0",
        id=f"{manifest.stream}-manifest-{manifest.until}",
        source="https://atmos-pro.com/workspaces/ws_a",
        type="pro.atmos.auditcast.manifest",
        time=time_text(manifest.until),
        datacontenttype="application/json",
        data=Data(
            actor=Actor(id="auditcast", type="system"),
            action=Action(category="auditcast", action="manifest"),
            target=None,
            description=None,
            metadata=msgspec.to_builtins(manifest),
            outcome="success",
        ),
        workspaceid="ws_a",
    )
    return encode(made)
