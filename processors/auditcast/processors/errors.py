"""Errors of the processor, named by the decision that they force.

AuditcastError (schemas/errors.py)
└── Crash                  going on would lose or falsify: end the process, non-zero; nothing is lost by that
    ├── MissingLink        a stream is in force and its chain is lost
    ├── MissingState       all that was known of a partition is lost
    ├── AlienState         what is known is of another log than the one at hand
    ├── TooNew             a revision in force says what this release does not know
    ├── LostWrite          the broker refused a write for good
    └── PartitionsChanged  the events topic was given another number of partitions
"""

from auditcast.schemas.errors import AuditcastError


class Crash(AuditcastError):
    """The process must end; what it held back is done again by the next owner."""


class MissingLink(Crash):
    """A stream is in force and its chain is lost: going on would start it anew."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"stream {stream} is in force, but the links topic holds no link of it: restore that topic")


class MissingState(Crash):
    """The group has committed offsets of a partition whose state is gone: its chains would silently begin anew."""

    def __init__(self, topic: str, partition: int) -> None:
        super().__init__(
            f"the links topic has lost what it held of {topic}/{partition}: restore it, or delete the processors'"
            " consumer group to begin every chain anew from the start of the log"
        )


class AlienState(Crash):
    """The log is not the one that the state speaks of: events in it would be taken for ones that were batched."""

    def __init__(self, topic: str, partition: int, problem: str) -> None:
        super().__init__(
            f"{topic}/{partition} {problem}, so it was made anew or has lost records: restore it, or delete the links"
            " topic and the processors' consumer group to begin every chain anew"
        )


class TooNew(Crash):
    """A later release has put in force what this one does not know: it would make other batches of the same log."""

    def __init__(self, destination: str, problem: str) -> None:
        super().__init__(f"destination {destination} {problem}, and a later release has put that in force: upgrade")


class LostWrite(Crash):
    """The broker refused a write for good."""


class PartitionsChanged(Crash):
    """The events topic was given another number of partitions, and every key another home."""
