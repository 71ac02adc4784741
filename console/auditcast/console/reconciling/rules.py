"""Which events a stream takes, under one revision. Pure."""

from auditcast.schemas.errors import Undecodable
from auditcast.schemas.events import CloudEvent
from auditcast.schemas.formats import FORMATS, rendering
from auditcast.schemas.records import Revision
from auditcast.schemas.redactions import redaction
from auditcast.schemas.selection import selection


class Rule:
    """What one revision says of events."""

    __slots__ = ("_redacts", "_rendering", "_room", "_selects", "revision")

    def __init__(self, revision: Revision) -> None:
        """Raises `Undecodable` if a later release has put it in force."""
        form = FORMATS.get(revision.format)
        if form is None:
            raise Undecodable(f"destination {revision.destination} has format {revision.format!r}: upgrade auditcast")
        self.revision = revision
        self._rendering = rendering(revision.format, revision.options)
        self._selects = selection(revision)
        # Only sizes matter here, and what is hashed has the same with any salt.
        self._redacts = redaction(revision, b"")
        self._room = min(revision.max_body_bytes, form.max_body_bytes) - self._rendering.envelope_bytes

    def wants(self, event: CloudEvent) -> bool:
        """Whether the destination's filters let the event through."""
        return self._selects is None or self._selects(event)

    def fits(self, event: CloudEvent, raw: bytes) -> bool:
        """Whether the event, whose bytes are `raw`, has room in a body of its own."""
        if self._redacts is not None:
            event, raw = self._redacts(raw)
        return len(self._rendering.render(event, raw)) + self._rendering.event_bytes <= self._room


class Course:
    """One stream as the log is stepped through: it takes events from offset `first` to before `end`.

    `rule` is the one in force; None before the first, or as long as it is not known.
    """

    __slots__ = ("destination", "end", "first", "rule", "stream")

    def __init__(self, stream: str, destination: str, first: int, end: int) -> None:
        self.stream = stream
        self.destination = destination
        self.first = first
        self.end = end
        self.rule: Rule | None = None
