"""Axiom's events, and its answers as Axiom's own client reads them."""

import json
from io import BytesIO
from typing import Any

import pytest
from axiom_py import Client
from axiom_py.client import ContentEncoding, ContentType, IngestStatus
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from auditcast.schemas.formats import FORMATS, TAKEN
from tests.bodies import joined
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

AXIOM = FORMATS["axiom/1"]
BODY = joined("axiom/1", EVENTS, GOLDEN_PLACE)


class Answering(BaseAdapter):
    """Answers every request of a client with the same words."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.request: PreparedRequest | None = None

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        self.request = request
        response = Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response.raw = BytesIO(self.answer)
        return response

    def close(self) -> None:
        pass


def read_by_their_client(answer: bytes) -> tuple[IngestStatus, PreparedRequest]:
    client, adapter = Client("xaat-0"), Answering(answer)
    client.session.mount("https://", adapter)
    status = client.ingest("audit", BODY, ContentType.JSON, ContentEncoding.IDENTITY)
    assert adapter.request is not None
    return status, adapter.request


def told(ingested: int, failed: int) -> bytes:
    failures = [{"timestamp": "2025-01-15T10:30:00Z", "error": "too many fields"}] * failed
    sizes = {"processedBytes": 2, "blocksCreated": 0, "walLength": 1}
    return json.dumps({"ingested": ingested, "failed": failed, "failures": failures, **sizes}).encode()


def test_success_is_what_their_client_sees_as_success() -> None:
    for ingested, failed in ((5, 0), (4, 1), (0, 5), (3, 0), (6, 0), (0, 0)):
        status, request = read_by_their_client(told(ingested, failed))
        judgement = AXIOM.judge(200, told(ingested, failed), 5)
        assert (judgement == TAKEN) == (status.failed == 0 and status.ingested == len(EVENTS))
    assert (request.headers["Content-Type"], request.body) == ("application/json", BODY)
    assert {header.name for header in AXIOM.required_headers} <= set(request.headers)


def test_of_some_that_failed_all_are_sent_again_since_nobody_says_which_they_are() -> None:
    judgement = AXIOM.judge(200, told(4, 1), 5)
    assert judgement is not None
    assert (judgement.again, judgement.never) == (((0, 4),), ())
    assert judgement.detail == "Axiom did not ingest 1 of 5 events, and does not say which"


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b'{"ingested":5}'),
        (200, b'{"ingested":5,"failed":false}'),
        (200, b'{"ingested":6,"failed":-1}'),
        (204, told(5, 0)),
        (400, told(5, 0)),
    ],
)
def test_nothing_else_is_a_success(status: int, answer: bytes) -> None:
    assert AXIOM.judge(status, answer, 5) is None


def test_axiom_finds_the_time_of_each_event_without_being_told_where() -> None:
    for event in json.loads(BODY):
        assert event["_time"] == event["time"]
