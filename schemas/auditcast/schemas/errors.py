"""Errors of what travels, named by the decision that they force.

AuditcastError                 every error that a person can cause; its text is one sentence that says what to do
├── Refused                    never as it is: the sender gets the sentence, a record goes to the dead letters
│   ├── InvalidEvent           an event breaks a rule; `field` says where
│   │   └── UnknownAction      its category or action is not in the catalogue
│   ├── EventTooLarge          an event is over the limit
│   └── Undecodable            bytes that are no record of ours
├── InvalidDestination         a destination's setting breaks a rule; `field` says which
├── InvalidWorkspace           what is said of a workspace breaks a rule; `field` says which
└── Misconfigured              the process cannot run as it was set up: end it, non-zero
    └── WrongSealingKey        no key in the environment opens this value
"""


class AuditcastError(Exception):
    """An error whose text is one sentence for the person who can mend it."""


class Refused(AuditcastError):
    """Input that is never accepted as it is."""

    reason = "refused"


class InvalidEvent(Refused):
    """An event breaks a rule. `field` is its dotted path, as in `actor.id`."""

    reason = "invalid-event"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class UnknownAction(InvalidEvent):
    """The category or action of an event is not in the catalogue; the text names the nearest ones."""

    reason = "unknown-action"


class EventTooLarge(Refused):
    """An event is larger than `limit` bytes."""

    reason = "too-large"

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"the event has {size} bytes, at most {limit} are allowed: shorten its metadata")
        self.size = size
        self.limit = limit


class Undecodable(Refused):
    """Bytes that are neither an event nor a record of this pipeline."""

    reason = "undecodable"


class InvalidDestination(AuditcastError):
    """A destination's setting breaks a rule. `field` is its name, `problem` the rest of the sentence."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class InvalidWorkspace(AuditcastError):
    """What is said of a workspace breaks a rule. `field` is its name."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class Misconfigured(AuditcastError):
    """The process cannot run with what it was given."""


class WrongSealingKey(Misconfigured):
    """None of the keys in the environment opens a sealed value."""
