"""What a careful receiver writes down: every delivery verified on arrival, and a running account of what is missing.

No clock, no I/O, and none of the pipeline's own code: from the description alone, as a customer would write it.
"""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

from auditcast.console.demo.chains import Chain, Entry, Fault, Rejected, read
from auditcast.console.demo.joining import Parts, part_in

TOLERANCE_S = 300
"""How far a `webhook-timestamp` may be off, as receivers commonly have it."""

IDENTITY = (
    "content-type",
    "x-webhook-id",
    "webhook-id",
    "x-audit-stream",
    "x-audit-sequence",
    "x-audit-events",
    "x-audit-opened",
    "x-audit-format",
    "x-audit-gap",
    "x-audit-previous-digest",
    "x-audit-digest",
    "x-audit-part",
    "x-audit-manifest",
)
"""The headers that a repetition must carry unchanged, in lower case; signature and timestamp are fresh each time."""


class Verdict(Struct, frozen=True):
    """What the receiver makes of one delivery: its HTTP answer, and how many new events were in it."""

    status: int
    events: int = 0
    repeated: bool = False
    fault: Fault | None = None


class Ledger:
    """All that one destination has received. `secret` is the text that was shown at creation, `whsec_…`."""

    def __init__(self, destination: str, secret: str) -> None:
        self.destination = destination
        self.chains: dict[str, Chain] = {}
        self.events = 0
        self.batches = 0
        self.tests = 0
        self.manifests = 0
        self.duplicates = 0
        self.faults: Counter[Fault] = Counter()
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._seen: dict[str, bytes] = {}
        self._parts = Parts()

    @property
    def missing(self) -> int:
        """Batches not received although a later one of their stream was."""
        return sum(chain.missing for chain in self.chains.values())

    @property
    def wrong(self) -> Counter[Fault]:
        """The faults that must never be; arriving out of order is allowed after a failed delivery."""
        return Counter({fault: count for fault, count in self.faults.items() if fault is not Fault.OUT_OF_ORDER})

    def received(self, stream: str, sequence: int, whole: tuple[int, int]) -> set[tuple[int, int]]:
        """What of a batch with the events `whole` is here: first and last events, of parts if it came in parts."""
        chain = self.chains.get(stream)
        return {whole} if chain is not None and chain.holds(sequence) else self._parts.spans(stream, sequence)

    def receive(self, headers: Mapping[str, str], body: bytes, now: float) -> Verdict:
        """Verify one delivery and take it down; `headers` in lower case, `now` in seconds since 1970."""
        try:
            self._check_signatures(headers, body, now)
            return self._take(headers, body)
        except Rejected as rejected:
            self.faults[rejected.fault] += 1
            return Verdict(rejected.status, fault=rejected.fault)

    def _check_signatures(self, headers: Mapping[str, str], body: bytes, now: float) -> None:
        identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        mac = hmac.new(self._key, f"{identity}.{sent}.".encode(), "sha256")
        mac.update(body)
        standard = "v1," + base64.b64encode(mac.digest()).decode()
        plain = "sha256=" + hmac.new(self._key, body, "sha256").hexdigest()
        good = (
            sent.isdecimal()
            and abs(now - int(sent)) <= TOLERANCE_S
            and _same(plain, headers.get("x-webhook-signature", ""))
            and any(_same(standard, one) for one in headers.get("webhook-signature", "").split())
        )
        if not good:
            raise Rejected(401, Fault.SIGNATURE)

    def _take(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        identity = headers.get("webhook-id", "")
        if not identity or headers.get("x-webhook-id") != self.destination:
            raise Rejected(400, Fault.MALFORMED)
        said = "\n".join(headers.get(name, "") for name in IDENTITY).encode()
        print_ = hashlib.sha256(said + b"\n\n" + body).digest()[:16]
        if identity in self._seen:
            if self._seen[identity] != print_:
                raise Rejected(409, Fault.DIFFERS)
            self.duplicates += 1
            return Verdict(200, repeated=True)
        if "x-audit-stream" not in headers:
            self._seen[identity] = print_
            self.tests += 1
            return Verdict(200)
        if "x-audit-manifest" in headers:
            self._seen[identity] = print_
            self.manifests += 1
            return Verdict(200)
        if "x-audit-part" in headers:
            verdict = self._take_part(headers, body)
        else:
            stream, entry = read(headers, body)
            verdict = self._add(stream, entry)
        self._seen[identity] = print_
        return verdict

    def _take_part(self, headers: Mapping[str, str], body: bytes) -> Verdict:
        """A part counts once all of its batch is there."""
        part = part_in(headers, body)
        chain = self.chains.get(part.stream)
        if chain is not None and chain.holds(part.sequence):
            # The batch came whole before, or split in another way.
            if not chain.same(part.first, part.contents):
                raise Rejected(409, Fault.DIFFERS)
            self.duplicates += 1
            return Verdict(200, repeated=True)
        whole = self._parts.add(part, body)
        if whole is None:
            return Verdict(200)
        stream, entry = read(headers, whole)
        verdict = self._add(stream, entry)
        self._parts.joined(part, entry.digest)
        return verdict

    def _add(self, stream: str, entry: Entry) -> Verdict:
        chain = self.chains.setdefault(stream, Chain())
        if chain.holds(entry.sequence):
            if self._parts.digest(stream, entry.sequence) != entry.digest:
                raise Rejected(409, Fault.DIFFERS)
            self.duplicates += 1
            return Verdict(200, repeated=True)
        faults = chain.add(entry)
        self.faults.update(faults)
        self.events += len(entry.ids)
        self.batches += 1
        return Verdict(200, events=len(entry.ids), fault=faults[0] if faults else None)


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode())
