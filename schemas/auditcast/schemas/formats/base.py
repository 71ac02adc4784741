"""What a payload format is: how an event is rendered, how a batch is joined, when an answer means success.

All of it is pure, and a version's bytes never change: what changes them is a new version (CONTRIBUTING.md).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import Struct

from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.events import CloudEvent

MAX_STREAM_BYTES = 96
"""The longest name of a stream: a destination's id of 64, a partition, an epoch of 16, and hyphens."""

MAX_NUMBER_BYTES = 20
"""Digits of the largest number of an event or a batch."""

Span = tuple[int, int]
"""Positions, from 0, of the first and the last of some neighbouring events of a body."""


class Place(Struct, frozen=True, kw_only=True):
    """Where a batch stands in its chain (schemas/chain.py): what is known of it before its body is.

    A test and a delivered manifest stand in none: their `sequence` and `first_event` are 0.
    """

    stream: str
    sequence: int
    first_event: int
    opened: int
    gap: str
    previous_digest: str


class Pieces(Struct, frozen=True):
    """A body taken apart: `head`, one of `items` for each event with `separator` between, `tail`."""

    head: bytes
    items: Sequence[bytes]
    separator: bytes
    tail: bytes

    def body(self, first: int = 0, last: int | None = None) -> bytes:
        """A body of the items at the positions `first` to `last`; of all of them it is the very same body again."""
        chosen = self.items[first : None if last is None else last + 1]
        return self.head + self.separator.join(chosen) + self.tail


_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _Identified(Struct):
    id: str


_identified = msgspec.json.Decoder(_Identified).decode


def own_id(event: bytes | str) -> str:
    """The `id` of a JSON object, as CloudEvents have it; raises `ValueError` for what has none."""
    return _identified(event).id


def array_pieces(body: bytes) -> Pieces:
    """A compact JSON array taken apart, its items as they are; raises `ValueError` for anything else."""
    return Pieces(b"[", [bytes(item) for item in _items(body)], b",", b"]")


class Judgement(Struct, frozen=True):
    """What a receiver made of a body's events: those in neither span were taken.

    Events `again` are to be sent once more, those in `never` cannot be taken as they are. `detail` says for people
    what the receiver said of them, without repeating any of its text that could hold an event's content. Those from the
    position `unread` on, `again` too, were not looked at because of one before them, so nothing speaks against sending
    them at once.
    """

    again: Sequence[Span] = ()
    never: Sequence[Span] = ()
    detail: str = ""
    unread: int | None = None


TAKEN = Judgement()
"""Every event was taken."""


class Option(Struct, frozen=True):
    """A choice that a format offers to a person; it holds if `pattern` matches the whole of it, and it is printable."""

    name: str
    description: str
    default: str
    pattern: str
    example: str


class RequiredHeader(Struct, frozen=True):
    """A custom header without which the intake refuses every request; `example` shows it as a person writes it."""

    name: str
    example: str


class Rendering(Protocol):
    """A format with its options chosen."""

    @property
    def content_type(self) -> str:
        """The request's `Content-Type`."""

    @property
    def envelope_bytes(self) -> int:
        """Bytes of a body around its events, at most."""

    @property
    def event_bytes(self) -> int:
        """Bytes that joining adds to each rendered event, its separator included, at most."""

    def render(self, event: CloudEvent, raw: bytes) -> bytes:
        """One event, not yet numbered; `raw` are its bytes in the log. Raises nothing for an admitted event."""

    def join(self, rendered: Sequence[bytes], place: Place) -> bytes:
        """A body of events numbered from `place.first_event` on, no larger than the byte counts above promise."""


class Format(Protocol):
    """One version of one format."""

    @property
    def name(self) -> str:
        """`name/version`."""

    @property
    def title(self) -> str:
        """What people call the intake, as in `Splunk HTTP Event Collector`."""

    @property
    def max_events(self) -> int:
        """The most events that the intake takes in one request."""

    @property
    def max_body_bytes(self) -> int:
        """The largest uncompressed body that it takes."""

    @property
    def options(self) -> Sequence[Option]:
        """What a person may choose."""

    @property
    def required_headers(self) -> Sequence[RequiredHeader]:
        """Custom headers that a destination of this format must have."""

    @property
    def secret_url(self) -> bool:
        """Whether whoever knows the URL may write to the intake, so that it must be kept as a secret."""

    @property
    def gzip(self) -> bool:
        """Whether the intake takes bodies with `Content-Encoding: gzip`."""

    def rendering(self, chosen: Mapping[str, str]) -> Rendering:
        """The format with a value for each of its options, checked ones."""

    def pieces(self, body: bytes) -> Pieces:
        """What `join` put together; raises `ValueError` for other bytes, and for a body that cannot be taken apart."""

    def event_id(self, piece: bytes) -> str:
        """The id of the event that an item of `pieces` was made of; raises `ValueError` for other bytes."""

    def judge(self, status: int, answer: bytes, events: int) -> Judgement | None:
        """What became of `events` events; None if none was taken, and it is for the status to say what follows."""


def no_such_option(options: Sequence[Option], name: str) -> InvalidDestination:
    """The error that names those that there are."""
    has = f"it has {', '.join(sorted(option.name for option in options))}" if options else "it has none"
    return InvalidDestination("option", f"the format has no option {name[:60]!r}: {has}")


def chosen(options: Sequence[Option], given: Mapping[str, str]) -> dict[str, str]:
    """A value for each of `options`; raises `InvalidDestination` for one that there is not, or that breaks its rule."""
    known = {option.name: option for option in options}
    for name, value in given.items():
        option = known.get(name)
        if option is None:
            raise no_such_option(options, name)
        if re.fullmatch(option.pattern, value) is None or not value.isprintable():
            raise InvalidDestination("option", f"{name} cannot be {value[:60]!r}: write it as in {option.example}")
    return {name: given.get(name, option.default) for name, option in known.items()}
