"""Dead letters as people choose among them: each in a few fields, without its bytes. No I/O."""

from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct

from auditcast.kafka.names import Topics
from auditcast.schemas.errors import Undecodable
from auditcast.schemas.records import Batch, DeadLetter
from auditcast.schemas.wire import decode_as

CUT = "only its beginning is kept here"
"""What the detail of a letter says whose value was too large to be kept whole."""

WorkspaceOf = Callable[[str], str | None]
"""The workspace of a destination, if it has one."""


class Letter(Struct, frozen=True, kw_only=True, gc=False):
    """The newest record of one key in the dead letters, which lies at `offset` of `partition` there.

    `destination` is None if nobody can tell whom the record is for. `first_event` to `last_event` are owed, in the
    numbers of `stream`; all four are empty if the letter holds no batch. `sender` is the record's key. `last` says how
    the last attempt ended. `hindrance` is why it can never be sent again as it is; empty if it can.
    """

    key: str
    partition: int
    offset: int
    at: int
    reason: str
    detail: str
    destination: str | None
    sender: str
    topic: str
    source_partition: int
    source_offset: int
    batch: str = ""
    stream: str = ""
    sequence: int = 0
    first_event: int = 0
    last_event: int = 0
    attempts: int = 0
    last: str = ""
    replay: str = ""
    size: int = 0
    hindrance: str = ""

    @property
    def events(self) -> int:
        """How many events are owed."""
        return self.last_event - self.first_event + 1 if self.stream else 1

    @property
    def order(self) -> tuple[bool, str, str, int, int, int]:
        """By destination, in the order in which its letters are sent again; those without a destination come last."""
        at = (self.stream, self.sequence, self.first_event, self.at)
        return (self.destination is None, self.destination or "", *at)


class Filters(Struct, frozen=True, kw_only=True):
    """Which letters are meant: all that match everything given. Times in ms."""

    keys: tuple[str, ...] = ()
    destination: str | None = None
    workspace: str | None = None
    reason: str | None = None
    since: int | None = None
    until: int | None = None
    sequence: tuple[int, int] | None = None

    def match(self, letter: Letter, workspace_of: WorkspaceOf) -> bool:
        """Whether `letter` is meant."""
        return (
            (not self.keys or letter.key in self.keys)
            and self.destination in (None, letter.destination)
            and self.workspace in (None, _workspace(letter, workspace_of))
            and self.reason in (None, letter.reason)
            and (self.since is None or letter.at >= self.since)
            and (self.until is None or letter.at < self.until)
            and (self.sequence is None or (bool(letter.stream) and _within(letter.sequence, self.sequence)))
        )


class Group(Struct, frozen=True, kw_only=True):
    """The letters of one destination, or those for which there is none, summed up. Times in ms."""

    destination: str | None
    letters: int
    events: int
    oldest: int
    newest: int
    reasons: dict[str, int]


def letter_in(key: bytes, partition: int, offset: int, value: bytes, topics: Topics) -> Letter:
    """The letter in a record at `offset` of `partition` of the dead letters; raises `Undecodable`."""
    found = decode_as(DeadLetter, value)
    batch = _batch(found)
    last = found.attempts[-1] if found.attempts else None
    return Letter(
        key=key.decode(errors="backslashreplace"),
        partition=partition,
        offset=offset,
        at=found.at,
        reason=found.reason,
        detail=found.detail[:200],
        destination=found.destination,
        sender=(found.key or b"").decode(errors="backslashreplace")[:256],
        topic=found.topic,
        source_partition=found.partition,
        source_offset=found.offset,
        batch=batch.id if batch else "",
        stream=batch.stream if batch else "",
        sequence=batch.sequence if batch else 0,
        first_event=(found.first_event or batch.first_event) if batch else 0,
        last_event=(found.last_event or batch.last_event) if batch else 0,
        attempts=len(found.attempts),
        last="" if last is None else last.error or f"status-{last.status}",
        replay=found.replay,
        size=len(found.value or b""),
        hindrance=_hindrance(found, batch, topics),
    )


def groups(letters: Iterable[Letter]) -> list[Group]:
    """One group a destination, that of the oldest letter first; unreadable records come last."""
    by_destination: dict[str | None, list[Letter]] = {}
    for letter in letters:
        by_destination.setdefault(letter.destination, []).append(letter)
    found = [
        Group(
            destination=destination,
            letters=len(own),
            events=sum(letter.events for letter in own),
            oldest=min(letter.at for letter in own),
            newest=max(letter.at for letter in own),
            reasons=dict(Counter(letter.reason for letter in own).most_common()),
        )
        for destination, own in by_destination.items()
    ]
    return sorted(found, key=lambda group: (group.destination is None, group.oldest, group.destination))


def _batch(letter: DeadLetter) -> Batch | None:
    """The batch that a deliverer's letter holds."""
    if letter.destination is None:
        return None
    try:
        return decode_as(Batch, letter.value or b"")
    except Undecodable:
        return None


def _hindrance(letter: DeadLetter, batch: Batch | None, topics: Topics) -> str:
    if letter.destination is not None and batch is None:
        # To append it again would give it to every other destination of its workspace a second time.
        return "it is a single event that is too large for its destination, which others have got"
    if letter.value is None or CUT in letter.detail:
        return "only its beginning was kept"
    if letter.topic != topics.events and not letter.topic.startswith(topics.batches):
        return f"it comes from {letter.topic}, which is none of the topics that are read here"
    return ""


def _workspace(letter: Letter, workspace_of: WorkspaceOf) -> str | None:
    """Whose it is; the key of an event is its workspace."""
    return letter.sender if letter.destination is None else workspace_of(letter.destination)


def _within(number: int, bounds: tuple[int, int]) -> bool:
    return bounds[0] <= number <= bounds[1]
