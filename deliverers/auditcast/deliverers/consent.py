"""The handshake of CloudEvents webhooks: a receiver is asked for its consent before it gets anything. Pure.

It is given for a URL and one that sends (an origin), by a header; a status, or a callback, gives none. It lasts as long
as the process; a test asks anew.
"""

import re
from collections import OrderedDict

import httpx
from msgspec import Struct

from auditcast.deliverers.destinations import Target
from auditcast.deliverers.outcomes import Failed, Reason
from auditcast.deliverers.transport import Answer

ASKED_RATE = 6000
"""Requests a minute: as fast as one after the other goes."""

REMEMBERED = 20_000
"""Destinations whose consent is remembered; asking again costs one request."""

ANY = "*"
MINUTE_S = 60.0

_RATE = re.compile(r"0*[1-9][0-9]{0,17}")


class _Given(Struct):
    """A consent, and when the next request may go out."""

    url: httpx.URL
    origin: str
    apart_s: float
    free_at: float = 0.0


class Consents:
    """Which receivers have consented. `origin` is who asks; "" is the host of the destination's platform."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._given: OrderedDict[str, _Given] = OrderedDict()

    def origin(self, target: Target) -> str:
        """As whom `target` is sent to."""
        return self._origin or target.platform

    def holds(self, target: Target) -> bool:
        """Whether its receiver has consented, under this URL."""
        given = self._given.get(target.revision.destination)
        return given is not None and (given.url, given.origin) == (target.url, self.origin(target))

    def take(self, target: Target, answer: Answer) -> float:
        """Note the consent in an answer, and return its shortest time in s between two requests; raises `Failed`."""
        destination, origin = target.revision.destination, self.origin(target)
        before = self._given.pop(destination, None)
        given = _Given(target.url, origin, consent_in(answer, origin), before.free_at if before else 0.0)
        self._given[destination] = given
        if len(self._given) > REMEMBERED:
            self._given.popitem(last=False)
        return given.apart_s

    def turn(self, target: Target, now: float) -> tuple[float, float]:
        """For how many seconds from `now` on the next request has to wait, which it does; and how far all are apart."""
        given = self._given[target.revision.destination]
        at = max(now, given.free_at)
        given.free_at = at + given.apart_s
        return at - now, given.apart_s


def consent_in(answer: Answer, origin: str) -> float:
    """The shortest time in s between two requests that an answer consents to; raises `Failed` if it does not consent.

    Without a rate there is no bound. One that cannot be understood is no consent: what it asks for cannot be kept.
    """
    allowed, rate = (answer.headers.get(f"webhook-allowed-{what}") for what in ("origin", "rate"))
    if allowed is None:
        raise _refused(f"the receiver answered {answer.status} to OPTIONS without the header WebHook-Allowed-Origin")
    # Exactly: whoever takes a part of it for the whole lets everybody in whose name begins like it.
    if allowed not in (origin, ANY):
        raise _refused(f"the WebHook-Allowed-Origin that the receiver answered is neither {origin} nor *")
    if rate is None or rate == ANY:
        return 0.0
    if not _RATE.fullmatch(rate):
        raise _refused("the WebHook-Allowed-Rate that the receiver answered is neither a number from 1 on nor *")
    return MINUTE_S / int(rate)


def _refused(detail: str) -> Failed:
    return Failed(Reason.CONSENT_REFUSED, detail)
