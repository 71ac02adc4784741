"""The one table of what an answer, or the lack of one, forces us to do. Data."""

from collections.abc import Mapping
from types import MappingProxyType

from auditcast.deliverers.outcomes import Reason, Verdict

BY_STATUS: Mapping[int, Verdict] = MappingProxyType(
    {
        410: Verdict.GONE,
        413: Verdict.SPLIT,
    }
)
"""What a status means that the format does not accept. All others are tried again: servers recover, people fix keys."""

BY_REASON: Mapping[Reason, Verdict] = MappingProxyType(
    {
        # The record itself is wrong, or somebody must look: no time mends that, only a person and a replay.
        Reason.UNREADABLE: Verdict.DEAD,
        Reason.CONFLICT: Verdict.DEAD,
        # Our own side may recover: the registry or the keys are mended, a later version knows the format. No request
        # was made, so this counts no attempt; the maximum age ends it.
        Reason.DESTINATION_UNKNOWN: Verdict.RETRY,
        Reason.REVISION_UNKNOWN: Verdict.RETRY,
        Reason.FORMAT_UNKNOWN: Verdict.RETRY,
        Reason.SEALED: Verdict.RETRY,
        Reason.HALTED: Verdict.RETRY,
        Reason.RESOLVER_FAILED: Verdict.RETRY,
        Reason.PROXY_UNREACHABLE: Verdict.RETRY,
        # What the customer asks for is not allowed, or not possible.
        Reason.DESTINATION_INVALID: Verdict.DEAD,
        Reason.ADDRESS_FORBIDDEN: Verdict.DEAD,
        Reason.REQUEST_INVALID: Verdict.DEAD,
        # The receiver, or the way to it: a proxy also refuses when it cannot reach the receiver.
        Reason.PROXY_REFUSED: Verdict.RETRY,
        Reason.NAME_UNKNOWN: Verdict.RETRY,
        Reason.CONNECT_TIMEOUT: Verdict.RETRY,
        Reason.CONNECT_FAILED: Verdict.RETRY,
        Reason.CERTIFICATE_REFUSED: Verdict.RETRY,
        Reason.TLS_FAILED: Verdict.RETRY,
        Reason.WRITE_TIMEOUT: Verdict.RETRY,
        Reason.FIRST_BYTE_TIMEOUT: Verdict.RETRY,
        Reason.ANSWER_TIMEOUT: Verdict.RETRY,
        Reason.CONNECTION_CLOSED: Verdict.RETRY,
        Reason.CONNECTION_LOST: Verdict.RETRY,
        Reason.ANSWER_CUT: Verdict.RETRY,
        Reason.ANSWER_MALFORMED: Verdict.RETRY,
        Reason.ANSWER_TOO_LARGE: Verdict.RETRY,
        Reason.ANSWERED_EARLY: Verdict.RETRY,
        # An answer that is no success although its status may look like one; redirects are never followed.
        Reason.REDIRECTED: Verdict.RETRY,
        Reason.NOT_ACCEPTED: Verdict.RETRY,
        # What the receiver said of single events.
        Reason.EVENTS_NOT_TAKEN: Verdict.RETRY,
        Reason.EVENTS_REFUSED: Verdict.DEAD,
        # It may consent another time.
        Reason.CONSENT_REFUSED: Verdict.RETRY,
    }
)
"""What each named reason means; complete, and a test says so."""

NOT_SENT = frozenset({Reason.RESOLVER_FAILED, Reason.PROXY_UNREACHABLE})
"""What stopped a request before the receiver, or its name, had any part in it: it counts no attempt."""

MAY_ASK_TO_WAIT = frozenset({429, 502, 503, 504})
"""The statuses with which a `Retry-After` is honoured."""


def verdict(reason: str | None, status: int | None) -> Verdict:
    """What an attempt forces that ended with `reason` (None: a success), after an answer with `status` (None: none)."""
    if reason is None:
        return Verdict.DELIVERED
    if status is not None:
        return BY_STATUS.get(status, Verdict.RETRY)
    return BY_REASON[Reason(reason)]
