"""What became of an attempt, in one name: the only place where foreign exceptions are told apart."""

import os
import socket
import ssl
from collections.abc import Iterator, Sequence
from enum import StrEnum

import aiohttp
import httpx
from aiohttp import http_exceptions
from msgspec import Struct

from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Attempt, Revision


class Reason(StrEnum):
    """Why a batch was not delivered; a status that is no success is `status-503` and the like."""

    # Nothing was sent: the batch, or what is known of its destination, does not allow it.
    UNREADABLE = "unreadable"
    CONFLICT = "conflicting-digest"
    DESTINATION_UNKNOWN = "destination-unknown"
    REVISION_UNKNOWN = "revision-unknown"
    FORMAT_UNKNOWN = "format-unknown"
    SEALED = "cannot-unseal"
    DESTINATION_INVALID = "destination-invalid"
    HALTED = "halted"
    # The way there.
    ADDRESS_FORBIDDEN = "address-forbidden"
    NAME_UNKNOWN = "name-unknown"
    RESOLVER_FAILED = "resolver-failed"
    PROXY_UNREACHABLE = "proxy-unreachable"
    PROXY_REFUSED = "proxy-refused"
    CONNECT_TIMEOUT = "connect-timeout"
    CONNECT_FAILED = "connect-failed"
    CERTIFICATE_REFUSED = "certificate-refused"
    TLS_FAILED = "tls-failed"
    # The request and its answer.
    REQUEST_INVALID = "request-invalid"
    WRITE_TIMEOUT = "write-timeout"
    FIRST_BYTE_TIMEOUT = "first-byte-timeout"
    ANSWER_TIMEOUT = "answer-timeout"
    CONNECTION_CLOSED = "connection-closed"
    CONNECTION_LOST = "connection-lost"
    ANSWER_CUT = "answer-cut"
    ANSWER_MALFORMED = "answer-malformed"
    ANSWER_TOO_LARGE = "answer-too-large"
    ANSWERED_EARLY = "answered-early"
    REDIRECTED = "redirected"
    NOT_ACCEPTED = "not-accepted"
    # Of single events, where the receiver tells of each.
    EVENTS_NOT_TAKEN = "events-not-taken"
    EVENTS_REFUSED = "events-refused"
    # The handshake before the first request.
    CONSENT_REFUSED = "consent-refused"


class Failed(AuditcastError):
    """An attempt failed for a reason that this stage found itself; the text is one sentence."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Verdict(StrEnum):
    """The decision that an outcome forces (verdicts.py has which one, fate.py what follows from it)."""

    DELIVERED = "delivered"
    RETRY = "retry"
    """Later, the same bytes."""
    DEAD = "dead"
    """Never as it is."""
    GONE = "gone"
    """Never, and nothing else either: the destination is to be disabled."""
    SPLIT = "split"
    """Too large: its halves were tried instead, and have outcomes of their own."""
    PARTLY = "partly"
    """The receiver told what it made of single events: they have outcomes of their own, from this one request."""
    SHOWN = "shown"
    """A test: somebody is shown the outcome, whatever it is, and nothing else follows."""


class Share(Struct, frozen=True):
    """What a receiver made of neighbouring events, by their positions, from 0, in what was sent."""

    first: int
    last: int
    verdict: Verdict


class Outcome(Struct, frozen=True, kw_only=True):
    """How a delivery ended. `reason` is None for a success; `attempt` is None if no request was made.

    `retry_after` is how long the receiver asks us to wait, in seconds; `revision` the one that the request was made
    under. `apart_s` is the shortest time between two requests that it consented to (0: any). If it took a request
    partly, `shares` are what it made of which events; with `unread` it did not even look at those of the last one.
    """

    reason: str | None
    verdict: Verdict
    detail: str = ""
    attempt: Attempt | None = None
    retry_after: float | None = None
    revision: Revision | None = None
    apart_s: float = 0.0
    shares: Sequence[Share] = ()
    unread: bool = False


class Piece(Struct, frozen=True):
    """What became of the events `first_event` to `last_event` of a batch (0 and 0: of the whole batch).

    A `share` is what the receiver made of these events in the request of an earlier piece: the attempt is that one's.
    """

    first_event: int
    last_event: int
    outcome: Outcome
    share: bool = False


_NAMES: dict[type[BaseException], Reason] = {
    # The nearest class in the exception's own line of descent counts, so the general ones stand for the rest.
    aiohttp.ClientConnectorCertificateError: Reason.CERTIFICATE_REFUSED,
    aiohttp.ClientConnectorDNSError: Reason.RESOLVER_FAILED,
    aiohttp.ClientConnectorSSLError: Reason.TLS_FAILED,
    aiohttp.ClientSSLError: Reason.TLS_FAILED,
    aiohttp.ClientProxyConnectionError: Reason.PROXY_UNREACHABLE,
    aiohttp.ClientHttpProxyError: Reason.PROXY_REFUSED,
    aiohttp.ClientConnectorError: Reason.CONNECT_FAILED,
    aiohttp.ServerFingerprintMismatch: Reason.CERTIFICATE_REFUSED,
    aiohttp.ConnectionTimeoutError: Reason.CONNECT_TIMEOUT,
    aiohttp.ServerTimeoutError: Reason.FIRST_BYTE_TIMEOUT,
    aiohttp.ServerDisconnectedError: Reason.CONNECTION_CLOSED,
    aiohttp.ClientConnectionError: Reason.CONNECTION_LOST,
    aiohttp.ClientPayloadError: Reason.ANSWER_CUT,
    aiohttp.ClientResponseError: Reason.ANSWER_MALFORMED,
    aiohttp.InvalidURL: Reason.REQUEST_INVALID,
    aiohttp.NonHttpUrlClientError: Reason.REQUEST_INVALID,
    aiohttp.ClientError: Reason.CONNECTION_LOST,
    http_exceptions.HttpProcessingError: Reason.ANSWER_MALFORMED,
    httpx.ConnectTimeout: Reason.CONNECT_TIMEOUT,
    httpx.PoolTimeout: Reason.CONNECT_TIMEOUT,
    httpx.WriteTimeout: Reason.WRITE_TIMEOUT,
    httpx.TimeoutException: Reason.FIRST_BYTE_TIMEOUT,
    httpx.ConnectError: Reason.CONNECT_FAILED,
    httpx.ProxyError: Reason.PROXY_REFUSED,
    httpx.NetworkError: Reason.CONNECTION_LOST,
    httpx.RemoteProtocolError: Reason.ANSWER_MALFORMED,
    httpx.DecodingError: Reason.ANSWER_MALFORMED,
    httpx.TooManyRedirects: Reason.REDIRECTED,
    httpx.UnsupportedProtocol: Reason.REQUEST_INVALID,
    httpx.LocalProtocolError: Reason.REQUEST_INVALID,
    httpx.InvalidURL: Reason.REQUEST_INVALID,
    httpx.HTTPError: Reason.CONNECTION_LOST,
    ssl.SSLError: Reason.TLS_FAILED,
    ssl.CertificateError: Reason.CERTIFICATE_REFUSED,
    socket.gaierror: Reason.RESOLVER_FAILED,
    TimeoutError: Reason.ANSWER_TIMEOUT,
    OSError: Reason.CONNECTION_LOST,
    # What aiohttp says to a header or URL that cannot be written.
    ValueError: Reason.REQUEST_INVALID,
}


def reason_of(error: Exception) -> Reason | None:
    """The name of what stopped a request; None for an error that no peer can cause: a fault of our own."""
    for cause in _causes(error):
        if isinstance(cause, Failed):
            return cause.reason
    # httpx's transport folds several of aiohttp's errors into one; the cause tells them apart.
    if isinstance(error, httpx.HTTPError) and isinstance(error.__cause__, aiohttp.ClientError):
        error = error.__cause__
    return next((_NAMES[kind] for kind in type(error).__mro__ if kind in _NAMES), None)


def detail_of(error: Exception) -> str:
    """What more can be said of `error`; never its own text, which may repeat a URL, and with it a credential."""
    for cause in _causes(error):
        if isinstance(cause, Failed):
            return str(cause)
        if isinstance(cause, aiohttp.ClientHttpProxyError):
            return f"the egress proxy answered {cause.status} to CONNECT"
        if isinstance(cause, ssl.SSLError):
            # aiohttp's subclasses lack these; their causes have them.
            said = getattr(cause, "verify_message", "") or getattr(cause, "reason", "")
            if said:
                return str(said)
        elif isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno)
    return ""


def verify_code_of(error: Exception) -> int:
    """OpenSSL's number of what is wrong with a certificate; 0 if that is not what stopped a request."""
    # aiohttp's subclasses lack it; their causes have it.
    return next((code for cause in _causes(error) if (code := getattr(cause, "verify_code", 0))), 0)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
