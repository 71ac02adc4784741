"""What a receiver last answered, in words that may be shown to its owner. Pure."""

from http import HTTPStatus

from msgspec import Struct

from auditcast.deliverers.alerts.phrases import clean
from auditcast.schemas.records import Attempt

MOST = 200
"""Characters of an answer that are shown."""

ECHOED = ("specversion", "datacontenttype", "workspaceid", "organizationid", "ddsource", "type_uid", '"actor')
"""Names from events: an answer that holds one repeats what it was sent, and that is nobody's to read in an email."""


class Answer(Struct, frozen=True):
    """The result of an attempt (`503 Service Unavailable`), and what the receiver said, if that can be shown."""

    result: str
    said: str = ""
    remark: str = ""


def answer(attempt: Attempt, prefix: str) -> Answer:
    """The newest answer; `prefix` begins the types of the destination's events."""
    result = _status(attempt.status) if attempt.status is not None else clean(attempt.error or "no answer", 60)
    if any(word in attempt.answer for word in (*ECHOED, prefix) if word):
        return Answer(result, remark="Its text repeats what it was sent, so it is not shown.")
    if attempt.answer:
        return Answer(result, said=clean(attempt.answer, MOST))
    return Answer(result, remark=clean(attempt.detail, MOST))


def _status(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
