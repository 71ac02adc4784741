"""Every exception that the HTTP libraries can raise has a name here, and every answer one verdict."""

import inspect
from types import ModuleType

import aiohttp
import httpx
import pytest
from aiohttp import http_exceptions

from auditcast.deliverers.judging import judge
from auditcast.deliverers.outcomes import Failed, Reason, Verdict, detail_of, reason_of
from auditcast.deliverers.parts import Part
from auditcast.deliverers.verdicts import BY_REASON, NOT_SENT
from auditcast.schemas.formats import FORMATS
from tests.unit.deliverers.parcels import batch

KIND = FORMATS["cloudevents/1"]
WHOLE = Part(0, 0, b"[]")
NOT_OF_REQUESTS = {
    aiohttp.WebSocketError,
    aiohttp.WSMessageTypeError,  # a misuse of websockets
    aiohttp.EofStream,  # aiohttp's own signal, which it catches itself
    httpx.StreamError,  # and of streams: a fault of our own
    httpx.CookieConflict,
}


def _exceptions(module: ModuleType) -> set[type[Exception]]:
    found = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)}
    return {kind for kind in found if not issubclass(kind, (*NOT_OF_REQUESTS, Warning))}


KINDS = sorted(
    set().union(*map(_exceptions, (aiohttp, aiohttp.client_exceptions, http_exceptions, httpx))),
    key=lambda kind: f"{kind.__module__}.{kind.__name__}",
)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_every_exception_of_the_libraries_has_a_name(kind: type[Exception]) -> None:
    assert isinstance(reason_of(kind.__new__(kind)), Reason)


@pytest.mark.parametrize("fault", [TypeError(), KeyError(), RuntimeError(), AssertionError(), httpx.StreamClosed()])
def test_a_fault_of_our_own_has_none(fault: Exception) -> None:
    assert reason_of(fault) is None


def test_the_cause_tells_apart_what_httpx_folds_together() -> None:
    for cause, reason in (
        (aiohttp.ServerDisconnectedError(), Reason.CONNECTION_CLOSED),
        (aiohttp.ClientOSError(104, "reset by peer"), Reason.CONNECTION_LOST),
    ):
        folded = httpx.ConnectTimeout("")
        folded.__cause__ = cause
        assert reason_of(folded) is reason


def test_details_never_repeat_an_errors_own_text() -> None:
    error = httpx.ConnectTimeout("Cannot write to https://siem.example.com/?token=hush")
    error.__cause__ = aiohttp.ClientOSError(104, "https://siem.example.com/?token=hush")
    assert detail_of(error) == "Connection reset by peer"
    assert detail_of(Failed(Reason.WRITE_TIMEOUT, "too slow")) == "too slow"
    assert detail_of(httpx.ReadError("https://siem.example.com/?token=hush")) == ""


@pytest.mark.parametrize(
    ("status", "reason"),
    [(200, None), (204, None), (301, "redirected"), (308, "redirected"), (304, "redirected")]
    + [(status, f"status-{status}") for status in (101, 400, 401, 408, 410, 413, 429, 500, 503, 999)],
)
def test_only_what_the_format_accepts_is_a_success(status: int, reason: str | None) -> None:
    assert judge(batch(), KIND, WHOLE, status, b"").reason == reason


def test_every_reason_has_a_verdict() -> None:
    assert set(BY_REASON) == set(Reason)
    assert {BY_REASON[reason] for reason in NOT_SENT} == {Verdict.RETRY}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(200, Verdict.DELIVERED), (204, Verdict.DELIVERED), (410, Verdict.GONE), (413, Verdict.SPLIT)]
    + [(status, Verdict.RETRY) for status in (101, 301, 307, 308, 400, 401, 403, 404, 408, 425, 429, 500, 503, 599)],
)
def test_every_answer_has_a_verdict(status: int, expected: Verdict) -> None:
    assert judge(batch(), KIND, WHOLE, status, b"").verdict is expected
