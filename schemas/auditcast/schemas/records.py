"""The records that the pipeline writes for itself, as they lie in Kafka (Avro, one `.avsc` each in `avro/`).

Times are milliseconds since 1970 in UTC. Fields are only ever added, with a default; see docs/evolution.md.
"""

from typing import Literal

from msgspec import Struct

State = Literal["active", "disabled", "deleted"]


class SealedHeader(Struct, frozen=True):
    """A custom header of a destination; the value can be opened only by who has the sealing keys."""

    name: str
    sealed: bytes


class Option(Struct, frozen=True):
    """A choice among those that the destination's format offers (schemas/formats/)."""

    name: str
    value: str


class Revision(Struct, frozen=True, kw_only=True):
    """One state of a destination; (`number`, `nonce`) orders them, and the highest counts.

    In `audit.events` it travels without `url`, `headers`, `secret`, `alert_to` and all else that shapes no bytes.
    While `paused` events are collected, and their batches parked. `because` is empty for a change by a person, `gone`
    if the receiver answered 410, `failing` if it did nothing but fail for long; a verdict of the system such as these
    has a `nonce` that begins with `-`, so that it is void beside any change that a person made meanwhile. `alert_to`
    are the addresses that alert emails go to.

    Only events of which `categories` and `actions` (globs; none: all) and `outcome` ("": both) speak are collected, and
    only while the destination is `entitled`. In each, the fields in `dropped` are left out; those in `hashed` become an
    HMAC with the sealed `salt`. `options` are those of the format. `sealed_url` holds the URL if that is a secret, and
    `url` only its origin. A secret is being rotated while `next_secret` is not empty: until `rotation_ends` (ms)
    `secret` counts, then the next one. `asymmetric` asks for Ed25519 signatures beside the others, `handshake` for the
    receiver's consent before the first delivery, `gzip` for packed bodies, `manifests` for those of its streams.
    """

    destination: str
    number: int
    nonce: str
    state: State
    changed_at: int
    workspace: str | None = None
    organization: str | None = None
    description: str = ""
    url: str = ""
    headers: list[SealedHeader] = []
    secret: bytes = b""
    epoch: str
    format: str = "cloudevents/1"
    window_events: int = 100
    window_ms: int = 30_000
    max_body_bytes: int = 900_000
    base_url: str = "https://atmos-pro.com"
    type_prefix: str = "pro.atmos"
    paused: bool = False
    because: str = ""
    alert_to: list[str] = []
    options: list[Option] = []
    categories: list[str] = []
    actions: list[str] = []
    outcome: str = ""
    dropped: list[str] = []
    hashed: list[str] = []
    salt: bytes = b""
    entitled: bool = True
    manifests: bool = False
    sealed_url: bytes = b""
    next_secret: bytes = b""
    rotation_ends: int = 0
    asymmetric: bool = False
    handshake: bool = False
    gzip: bool = False

    @property
    def order(self) -> tuple[int, str]:
        """What decides between two revisions of one destination."""
        return (self.number, self.nonce)

    @property
    def collecting(self) -> bool:
        """Whether events are batched for the destination."""
        return self.state == "active" and self.entitled

    @property
    def halted(self) -> bool:
        """Whether nothing is sent: what is collected, or was before, is parked until that ends."""
        return self.state != "deleted" and (self.paused or (self.state == "disabled" and self.because == "gone"))


class Workspace(Struct, frozen=True, kw_only=True):
    """What is known of a workspace (in `audit.workspaces`, key: its id); (`number`, `nonce`) orders its records.

    `entitled` says whether its `plan` ("": none) was one that forwards events when this was written, and `since` (ms)
    how long it has been so. `owners` are the email addresses of those who are told about its destinations.
    """

    workspace: str
    number: int
    nonce: str
    changed_at: int
    name: str = ""
    slug: str = ""
    url: str = ""
    organization: str | None = None
    plan: str = ""
    entitled: bool = True
    owners: list[str] = []
    since: int = 0

    @property
    def order(self) -> tuple[int, str]:
        """What decides between two records of one workspace."""
        return (self.number, self.nonce)


class Note(Struct, frozen=True, kw_only=True):
    """What became of events that a stream owes and that are not delivered; it goes into the stream's next manifest.

    Of batch `sequence` the events `first_event` to `last_event`. `kind` is `resolved` (a person, `by`, settled them
    otherwise), `expired` (they were kept no longer; `by` is empty) or one that a later release knows; `because` is a
    sentence for people. `at` in ms.
    """

    stream: str
    sequence: int
    first_event: int
    last_event: int
    kind: str
    by: str
    because: str
    at: int


class Control(Struct, frozen=True, kw_only=True):
    """What the pipeline itself puts into a partition of the events topic, authenticated (see sealing.py).

    `content` is a `Revision` or a `Note`.
    """

    partition: int
    content: bytes
    mac: bytes


class RevisionInForce(Struct, frozen=True, kw_only=True):
    """A revision that took effect at `offset` of a partition (in `audit.links`, key `destination@offset`).

    `stream` is the destination's stream there, named when its first revision took effect. `gap_from` is the time since
    which nothing was collected, `gap_to` the time until which (None: still so), and `gap_offset` where collecting began
    again; the first batch opened after that offset carries the gap.
    """

    offset: int
    timestamp: int
    stream: str
    revision: Revision
    gap_from: int | None = None
    gap_to: int | None = None
    gap_offset: int | None = None


class Link(Struct, frozen=True, kw_only=True):
    """The newest batch of a stream (in `audit.links`, key `stream:sequence`); it determines the next one."""

    stream: str
    sequence: int
    last_event: int
    last_offset: int
    digest: str


class NoteEntered(Struct, frozen=True, kw_only=True):
    """A note that lies at `offset` of a partition (in `audit.links`, key `note/stream@offset`)."""

    offset: int
    note: Note


class ManifestLink(Struct, frozen=True, kw_only=True):
    """The newest manifest of a stream (in `audit.links`, key `manifest/stream:until`); it determines the next one.

    It covers the time to `until` (ms) and the log before `offset`, the place of the record that closed it. `sequence`,
    `last_event` and `digest` are those of the stream's newest batch then, `manifest` is the manifest's own digest. The
    first one of a stream is written with the revision that begins it, and stands for no manifest.
    """

    stream: str
    until: int
    offset: int
    sequence: int
    last_event: int
    digest: str
    manifest: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a stream held from `since` to `until` (ms), signed (in `audit.manifests`, key `stream:until`).

    Batches `first_sequence` to `last_sequence` with the events `first_event` to `last_event`, of both none if the first
    is one above the last; `opening_digest` is that of the batch before them, `closing_digest` that of the last one.
    `previous` is the digest of the manifest before, and `digest` that of this one (schemas/manifests.py). A `final` one
    is the stream's last. `signature` (Base64) is Ed25519's, and `key` the public half of its key
    (`whpk_…`).
    """

    stream: str
    destination: str
    since: int
    until: int
    first_sequence: int
    last_sequence: int
    first_event: int
    last_event: int
    opening_digest: str
    closing_digest: str
    final: bool
    notes: list[Note]
    previous: str
    digest: str
    key: str
    signature: str


class Moved(Struct, frozen=True, kw_only=True):
    """The newest event that a partition took over from another (in `audit.links`, key `moved/source@offset`)."""

    source: int
    source_offset: int
    offset: int


class Batch(Struct, frozen=True, kw_only=True):
    """One batch, final to the byte. A test has `stream` "" and `sequence` 0 and stands in no chain.

    A manifest that is delivered has its stream, `sequence` 0, and its own and the previous manifest's digest.

    `first_offset` and `last_offset` are those of its events in the events topic; `gap` and digests as in chain.py.
    """

    id: str
    destination: str
    revision_number: int
    revision_nonce: str
    stream: str
    sequence: int
    first_event: int
    last_event: int
    partition: int
    first_offset: int
    last_offset: int
    opened: int
    format: str
    gap: str
    body_sha256: str
    previous_digest: str
    digest: str
    body: bytes

    @property
    def is_test(self) -> bool:
        """Whether a person asked for this delivery to try the destination."""
        return not self.stream

    @property
    def is_manifest(self) -> bool:
        """Whether it tells of a stream, and is itself in no chain of batches."""
        return bool(self.stream) and self.sequence == 0


class Attempt(Struct, frozen=True, kw_only=True):
    """One real request and its answer. `answer` is the first kB of the body, `error` names what went wrong."""

    at: int
    latency_ms: int
    status: int | None = None
    error: str | None = None
    detail: str = ""
    answer: str = ""


class RecordHeader(Struct, frozen=True):
    """A header of a Kafka record."""

    name: str
    value: bytes


class Delivery(Struct, frozen=True, kw_only=True):
    """What a copy of a batch carries beside the same bytes (in the record's header `auditcast-delivery`).

    `offset` is where the batch lies in `audit.batches`, in the copy's own partition. `attempts` are those made so far,
    the first at `began`, which is put off by the time that the copy lay parked in a pause or that no deliverer ran.
    Not to be sent before `not_before`. A part of a split batch has the numbers of its events in `first_event` and
    `last_event` (0: the whole batch). `letter` is the key of the dead letter that is settled with the copy, `replay`
    the id of the replay that made it.
    """

    offset: int = -1
    attempts: list[Attempt] = []
    began: int = 0
    not_before: int = 0
    parked_at: int = 0
    first_event: int = 0
    last_event: int = 0
    letter: str = ""
    replay: str = ""


class Attempted(Struct, frozen=True, kw_only=True):
    """One attempt, for who asks later (in `audit.attempts`): of the events `first_event` to `last_event` of a batch.

    `number` counts the attempts of this copy from 1 on; `fate` says what followed: `delivered`, `retry-1` to `-5`,
    `dead-letter`, `parked` (it stays there), `split`, or `none` (a test). An attempt that was taken `partly` has behind
    its own record one more for each stretch of its events that fared alike, with the same `number` and `attempt`.
    """

    destination: str
    batch: str
    stream: str
    sequence: int
    first_event: int
    last_event: int
    number: int
    fate: str
    replay: str = ""
    attempt: Attempt


class Delivered(Struct, frozen=True):
    """The newest batch of a stream that was delivered."""

    stream: str
    sequence: int


class Status(Struct, frozen=True, kw_only=True):
    """How a destination fares (in `audit.status`, key: destination), written at most once a second.

    `last` is its newest attempt, `failures` those since the last success. While `open`, the circuit breaker lets only
    probes through. `waiting` batches are in the deliverer's memory; `parked` ones, with `parked_events` events, in
    `audit.batches.parked` since `parked_since`. `dead_letters` counts all ever made, the newest for `last_reason`.
    """

    destination: str
    at: int
    last: Attempt | None = None
    last_success: int | None = None
    failures: int = 0
    failing_since: int | None = None
    open: bool = False
    waiting: int = 0
    parked: int = 0
    parked_events: int = 0
    parked_since: int | None = None
    dead_letters: int = 0
    last_dead_letter: int | None = None
    last_reason: str = ""
    delivered: list[Delivered] = []


class Parked(Struct, frozen=True, kw_only=True):
    """Batches of `destination` are parked from `offset` on (in `audit.status`, key `parked/destination@offset`)."""

    destination: str
    offset: int
    at: int


class Released(Struct, frozen=True, kw_only=True):
    """What was parked from `first` through `offset` is settled, as its writer saw itself.

    In `audit.status`, key `released/destination@first-offset`.
    """

    destination: str
    first: int
    offset: int
    at: int


class Skipped(Struct, frozen=True, kw_only=True):
    """Events through `offset` that were not collected, since `since`: it was disabled, or not entitled.

    In `audit.links`, key `skipped/destination@offset`; the highest counts.
    """

    destination: str
    offset: int
    since: int
    events: int


class Backfill(Struct, frozen=True, kw_only=True):
    """Events from before their destination collected, batched later by a person, in a stream of their own.

    In `audit.links`, key `backfill/stream`. They lie from offset `first` to before `end` of the stream's partition and
    are batched under `revision` (its bytes), begun at `at`. The other fields are those of the stream's newest link;
    while not `finished`, it goes on from there.
    """

    stream: str
    first: int
    end: int
    at: int
    finished: bool
    sequence: int
    last_event: int
    last_offset: int
    digest: str
    revision: bytes


class DeadLetter(Struct, frozen=True, kw_only=True):
    """What could not be processed or delivered: the same bytes, and why.

    `topic`, `partition`, `offset` name the record where it first lay. `first_event` and `last_event` are the numbers of
    the events that are owed, if that is only a part of the batch (else 0).
    """

    topic: str
    partition: int
    offset: int
    at: int
    reason: str
    detail: str
    key: bytes | None = None
    value: bytes | None = None
    headers: list[RecordHeader] = []
    destination: str | None = None
    attempts: list[Attempt] = []
    first_event: int = 0
    last_event: int = 0
    replay: str = ""


class TestResult(Struct, frozen=True, kw_only=True):
    """How a test delivery ended (in `audit.status`, key: the test's batch id)."""

    __test__ = False  # not a test case, whatever pytest makes of the name

    batch: str
    destination: str
    delivered: bool
    attempt: Attempt


class Alerted(Struct, frozen=True, kw_only=True):
    """What the owners of a destination were told by email (in `audit.alerts`, key: destination).

    They were told `number` times, the last time `at`: of `dead_letters` ever made, the newest at `last_dead_letter`; of
    the system's `verdict` (a revision's number and nonce); of all that expires until `expiring`, and once more of what
    expires until `expiring_soon`. `warnings` emails, the last at `warned_at`, said that the destination will be paused
    because it does nothing but fail since `failing_from`. As far as they know there is an outage since `outage_since`,
    told of first by email `outage` (0: there is none), with `outage_letters` dead letters; and it is `unentitled`.
    """

    destination: str
    at: int
    number: int = 0
    dead_letters: int = 0
    last_dead_letter: int = 0
    verdict: str = ""
    expiring: int = 0
    expiring_soon: int = 0
    warnings: int = 0
    warned_at: int = 0
    failing_from: int = 0
    outage: int = 0
    outage_since: int = 0
    outage_letters: int = 0
    unentitled: bool = False


class AuditEvent(Struct, frozen=True, kw_only=True):
    """An audit event of a platform that emits Avro; the same content as a CloudEvent (see events.py).

    `metadata` is a JSON object as text; `occurred_at` the time of occurrence.
    """

    id: str
    workspace: str
    category: str
    action: str
    actor_id: str
    actor_type: str
    occurred_at: int
    organization: str | None = None
    actor_email: str | None = None
    actor_name: str | None = None
    target_type: str | None = None
    target_id: str | None = None
    target_name: str | None = None
    description: str | None = None
    outcome: Literal["success", "failure"] = "success"
    metadata: str = "{}"
    ip: str | None = None
    user_agent: str | None = None
