"""How a destination has answered lately, and what follows for what is to be sent next. Pure; `now` in seconds.

A circuit breaker: after some failures in a row, or when the receiver asks for time, it is open, and only probes go out,
less and less often, until one succeeds. And a pace: a receiver that says "too many requests" gets fewer of them,
and one that consented to a rate no more than that.
"""

from auditcast.schemas.records import Attempt, Status

OPEN_AFTER = 3
"""Failures in a row that open the breaker."""

FIRST_PROBE_S = 1.0
"""When the first probe goes out; each further one after twice the time, up to a setting."""

LONGEST_QUIET_S = 3600.0
"""The longest that a receiver may keep us quiet by its Retry-After."""

SLOWEST_PACE_S = 10.0
FIRST_PACE_S = 0.1
FASTER = 0.8
"""The time between two requests: twice as long after each "too many requests", this much of it after a success."""

TOO_MANY_REQUESTS = 429


class Standing:
    """One destination's. `probe_s` is the longest time between two probes."""

    __slots__ = ("_pace", "_probe_at", "_probe_s", "_probes", "_sent", "apart_s", "failing_since", "failures", "last",
                 "last_success", "open")  # fmt: skip

    def __init__(self, probe_s: float) -> None:
        self._probe_s = probe_s
        self._probes = 0
        self._probe_at = 0.0
        self._pace = 0.0
        self._sent = 0.0
        self.apart_s = 0.0
        """The shortest time between two requests that the receiver consented to; 0: any."""
        self.failures = 0
        self.failing_since: int | None = None
        self.last: Attempt | None = None
        self.last_success: int | None = None
        self.open = False

    def restore(self, status: Status) -> None:
        """Go on from what an earlier owner wrote; an open breaker stays open, and the first probe goes out at once."""
        self.last, self.last_success = status.last, status.last_success
        self.failures, self.failing_since = status.failures, status.failing_since
        self.open = status.open

    def succeeded(self, attempt: Attempt, now: float) -> None:
        """The receiver is well."""
        self.answered(attempt, now)
        self.last_success = attempt.at
        self.failures, self.failing_since = 0, None
        self.open, self._probes = False, 0
        self._pace = self._pace * FASTER if self._pace > FIRST_PACE_S / 10 else 0.0

    def failed(self, attempt: Attempt, now: float, retry_after: float | None) -> None:
        """The receiver did not take what was sent; `retry_after` are the seconds that it asks for."""
        self.answered(attempt, now)
        self.failures += 1
        if self.failing_since is None:
            self.failing_since = attempt.at
        if attempt.status == TOO_MANY_REQUESTS:
            self._pace = min(max(self._pace * 2, FIRST_PACE_S), SLOWEST_PACE_S)
        if self.open or retry_after is not None or self.failures >= OPEN_AFTER:
            self.open = True
            self._rest(now, min(retry_after or 0.0, LONGEST_QUIET_S))

    def answered(self, attempt: Attempt, now: float) -> None:
        """A request was made, and says nothing of how well the receiver is."""
        self.last = attempt
        self._sent = now

    def unsent(self, now: float) -> None:
        """Nothing could be sent, which says nothing of the receiver; but the next probe must not come at once."""
        if self.open:
            self._rest(now, 0.0)

    def may_probe(self, now: float) -> bool:
        """Whether it is time to ask again, with one batch, while the breaker is open."""
        return now >= self._probe_at

    def wait(self, now: float) -> float:
        """For how many seconds the next request has to wait, so as to keep to the pace."""
        apart_s = max(self._pace, self.apart_s)
        return max(self._sent + apart_s - now, 0.0) if apart_s else 0.0

    def _rest(self, now: float, least_s: float) -> None:
        quiet = min(FIRST_PROBE_S * 2**self._probes, self._probe_s)
        self._probe_at = now + max(quiet, least_s)
        self._probes = min(self._probes + 1, 30)
