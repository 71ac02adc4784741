"""Takes what was found in the input, one item after the other, and says in the end what it proves. No I/O."""

import gzip
import io
import zlib
from collections import Counter

from msgspec import Struct

from auditcast.console.verifying.claims import Claim, claim_in, sequence_claimed
from auditcast.console.verifying.ends import ends
from auditcast.console.verifying.findings import Finding, Kind
from auditcast.console.verifying.items import Events, Ignored, Item, Request, Tests, Told, Unplaced, Unreadable
from auditcast.console.verifying.judging import Asked, judged
from auditcast.console.verifying.keys import Keys
from auditcast.console.verifying.settling import settle
from auditcast.console.verifying.shapes import Spot, items_in_body, manifests_in
from auditcast.console.verifying.spool import Spool
from auditcast.console.verifying.statements import Statements, stated
from auditcast.console.verifying.stream import Stream
from auditcast.console.verifying.telling import contradicts
from auditcast.schemas.chain import body_digest, destination_of
from auditcast.schemas.formats import FORMATS, Pieces

MOST_UNPACKED = 64 * 1024 * 1024
"""The largest body that is unpacked; no format allows for a tenth of it."""


class Seen(Struct):
    """What was looked at; of some deliveries no signature could be, with the keys that were given."""

    deliveries: int = 0
    unchecked: int = 0
    events: int = 0
    manifests: int = 0
    ignored: int = 0


class Verifier:
    """`take` everything, then `findings`, once."""

    def __init__(self, asked: Asked, keys: Keys, spool: Spool) -> None:
        self.seen = Seen()
        self._asked = asked
        self._keys = keys
        self._spool = spool
        self._streams: dict[str, Stream] = {}
        self._told: dict[str, list[Told]] = {}
        self._counts: Counter[tuple[Kind, str]] = Counter()
        self._places: dict[tuple[Kind, str], str] = {}
        self._said: list[Finding] = []

    def take(self, item: Item) -> None:
        """Look at one more item."""
        match item:
            case Request():
                self.seen.deliveries += 1
                self.seen.unchecked += not self._keys.fit(item.headers)
                self._request(item)
            case Events():
                self.seen.events += len(item.numbered)
                if not self._foreign(item.place.stream, item.where):
                    self._stream(item.place.stream).add_events(item.place, item.family, item.numbered, item.where)
            case Told():
                self.seen.manifests += 1
                if not self._foreign(item.manifest.stream, item.where):
                    self._told.setdefault(item.manifest.stream, []).append(item)
            case Tests():
                self._count(Kind.TEST, "", item.where, item.count)
            case Unplaced():
                self._count(Kind.UNPLACED, item.stream, item.where, item.count)
            case Unreadable():
                self._count(Kind.UNREADABLE, "", f"{item.where}: {item.why}", 1)
            case Ignored():
                self.seen.ignored += 1

    def findings(self) -> list[Finding]:
        """All that there is to say, stream by stream."""
        found = [
            Finding(kind, stream, count=count, where=self._places[kind, stream])
            for (kind, stream), count in self._counts.items()
        ]
        statements = self._statements()
        for name in sorted(self._streams.keys() | statements.keys()):
            stream, said = self._stream(name), statements.get(name, Statements())
            settle(stream, said.chain, numbers_only=self._asked.numbers_only)
            found += judged(stream, said, self._asked)
            found += said.findings
            if stream.held or stream.incomplete:
                statements.setdefault(name, said)
        found += self._said
        found += ends({name: said for name, said in statements.items() if self._is_stream(name, said)}, self._asked)
        if all(finding.kind == Kind.TEST for finding in found):
            found.append(Finding(Kind.NOTHING))
        return found

    def _say(self, finding: Finding) -> None:
        if self._asked.covers(finding.sequence):
            self._said.append(finding)

    def _statements(self) -> dict[str, Statements]:
        signed = self._keys.signed if self._keys.public_keys else None
        return {stream: stated(stream, told, signed) for stream, told in self._told.items()}

    def _is_stream(self, name: str, said: Statements) -> bool:
        """Whether there is any batch, or any word of the platform, of it."""
        return bool(self._stream(name).held or self._stream(name).incomplete or said.chain)

    def _stream(self, name: str) -> Stream:
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Stream(name, self._spool)
        return found

    def _count(self, kind: Kind, stream: str, where: str, count: int) -> None:
        self._counts[kind, stream] += count
        self._places.setdefault((kind, stream), where)

    def _foreign(self, stream: str, where: str) -> bool:
        """Whether it is of another destination than the one that was asked for; then nothing else is said of it."""
        foreign = self._asked.destination not in ("", destination_of(stream))
        if foreign:
            self._count(Kind.FOREIGN, stream, where, 1)
        return foreign

    def _request(self, request: Request) -> None:
        headers, where = request.headers, request.where
        stream = headers.get("x-audit-stream")
        if stream is not None and self._foreign(stream, where):
            return
        body = _unpacked(request.body)
        if body is None:
            self._count(Kind.UNREADABLE, "", f"{where}: its body cannot be unpacked", 1)
        elif stream is None:
            self._unchained(request, body)
        elif "x-audit-manifest" in headers:
            self._manifest(request, body, stream)
        else:
            self._chained(request, body, stream)

    def _unchained(self, request: Request, body: bytes) -> None:
        """A test; or the receiver did not keep the headers that matter, and its events may have what is needed."""
        fault = self._keys.fault(request.headers, request.body)
        if fault:
            self._said.append(Finding(fault, where=request.where))
        elif request.headers.get("webhook-id", "").startswith("test-"):
            self._count(Kind.TEST, "", request.where, 1)
        else:
            for item in items_in_body(body, Spot(request.where, "events")):
                self.take(Unplaced(1, request.where) if isinstance(item, Unreadable) else item)

    def _manifest(self, request: Request, body: bytes, stream: str) -> None:
        headers, where = request.headers, request.where
        fault = self._keys.fault(headers, request.body)
        found = next(manifests_in(body), None)
        until = found.until if found else 0
        if fault:
            self._said.append(Finding(fault, stream, until=until, where=where))
        if found is None:
            # In a format for people nothing can be found; but then the signature must say that the body is genuine.
            if fault or not self._keys.given:
                self._said.append(Finding(Kind.MANIFEST_FORGED, stream, where=where))
            return
        meant = {
            "x-audit-manifest": found.digest,
            "x-audit-stream": found.stream,
            "x-audit-previous-manifest": found.previous,
            "webhook-id": f"{found.stream}-manifest-{until}",
        }
        if any(headers.get(name, value) != value for name, value in meant.items()):
            self._said.append(Finding(Kind.MANIFEST_FORGED, stream, until=until, where=where))
        self.take(Told(found, where))

    def _chained(self, request: Request, body: bytes, name: str) -> None:
        stream, where = self._stream(name), request.where
        claim = claim_in(request.headers)
        sha256 = claim.parent if claim and claim.part else body_digest(body)
        if claim is None or not claim.holds(sha256) or request.headers.get("webhook-id", claim.id) != claim.id:
            stream.spoilt(Kind.ALTERED, sequence_claimed(request.headers), where)
            return
        sequence = claim.place.sequence
        pieces, first, last = _pieces(claim, body), *(claim.part or (claim.first, claim.last))
        fault = Kind.ALTERED if contradicts(claim, pieces) else self._keys.fault(request.headers, request.body)
        if fault:
            stream.spoilt(fault, sequence, where)
            return
        if pieces and len(pieces.items) != last - first + 1:
            stream.spoilt(Kind.MISNUMBERED, sequence, where)
            return
        self.seen.events += last - first + 1
        if request.ordered:
            stream.arrived(sequence, where)
        if not claim.part:
            stream.add_whole(claim, pieces, where, signed=self._keys.fit(request.headers))
        elif pieces:
            stream.add_part(claim, pieces, where, signed=self._keys.fit(request.headers))
        else:
            # A format of a later release, or one that cannot be split.
            stream.spoilt(Kind.UNVERIFIABLE, sequence, where)


def _pieces(claim: Claim, body: bytes) -> Pieces | None:
    form = FORMATS.get(claim.format)
    try:
        return form.pieces(body) if form else None
    except (ValueError, RecursionError):
        return None


def _unpacked(body: bytes) -> bytes | None:
    """The body as it is in the chain; None if it cannot be unpacked, or only to something huge."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            found = packed.read(MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error):
        return None
    return found if len(found) <= MOST_UNPACKED else None
