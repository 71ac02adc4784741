"""Errors of talking to the broker, named by the decision that they force.

AuditcastError (schemas/errors.py)
├── BrokerUnavailable   nobody answers at the address: say so, try later
├── WrongTopics         a topic is not as it must be: refuse to run, say what differs and how to mend it
└── PartialRead         a compacted topic could not be read to its end: end the process, state would be wrong
"""

from auditcast.schemas.errors import AuditcastError


class BrokerUnavailable(AuditcastError):
    """No broker answers."""


class WrongTopics(AuditcastError):
    """Topics differ from what the pipeline needs; the text lists each difference and its mending."""


class PartialRead(AuditcastError):
    """A compacted topic could not be read to its end."""
