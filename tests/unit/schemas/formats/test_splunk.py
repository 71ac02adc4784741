"""Bodies as HEC's documentation asks for them, read by a parser that knows nothing of lines."""

import json
from typing import Any

import pytest
from hypothesis import given

from auditcast.schemas.formats import FORMATS, TAKEN, Judgement
from auditcast.schemas.formats.splunk import restored
from tests.bodies import joined, place
from tests.unit.schemas.formats.drawn import events
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

SPLUNK = FORMATS["splunk/1"]
DOCUMENTED = {"time", "host", "source", "sourcetype", "index", "event", "fields"}


def envelopes(body: str) -> list[dict[str, Any]]:
    """As a collector reads them: one object after the other, whatever space there is between."""
    found, at = [], 0
    while at < len(body):
        envelope, at = json.JSONDecoder().raw_decode(body, at)
        at += len(body[at:]) - len(body[at:].lstrip())
        found.append(envelope)
    return found


@given(drawn=events)
def test_an_envelope_has_no_name_that_the_collector_does_not_know_and_flat_fields(drawn: bytes) -> None:
    [envelope] = envelopes(joined("splunk/1", [drawn], GOLDEN_PLACE, {"index": "audit"}).decode())
    assert set(envelope) == DOCUMENTED
    assert envelope["event"] == json.loads(drawn)
    assert all(isinstance(value, str | int) for value in envelope["fields"].values())


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2025-01-15T10:30:00.007Z", "1736937000.007"),
        ("1969-12-31T23:59:59.999Z", "-0.001"),
        ("9999-12-31T23:59:59.999Z", "253402300799.999"),
    ],
)
def test_the_time_is_in_seconds_to_the_millisecond(time: str, seconds: str) -> None:
    event = EVENTS[0].replace(b"2025-01-15T10:30:00.000Z", time.encode())
    assert joined("splunk/1", [event]).startswith(b'{"time":%b,' % seconds.encode())


def test_what_is_not_chosen_is_left_out() -> None:
    options = {"host": "", "source": "", "sourcetype": "", "index": ""}
    assert joined("splunk/1", EVENTS[:1], options=options).startswith(b'{"time":1736937000.000,"event":{')
    assert "index" not in envelopes(joined("splunk/1", EVENTS[:1]).decode())[0]


@pytest.mark.parametrize("at", [GOLDEN_PLACE, place(5)])
def test_what_splunk_stores_leads_back_to_the_body(at: Any) -> None:
    body = joined("splunk/1", EVENTS, at, {"index": "audit"})
    pieces = SPLUNK.pieces(body).items
    for raw, piece, envelope in zip(EVENTS, pieces, envelopes(body.decode()), strict=True):
        fields = {name: str(value) for name, value in envelope["fields"].items()}
        assert restored(raw, envelope, fields) == piece
        assert restored(raw.replace(b"created", b"deleted"), envelope, fields) != piece


@pytest.mark.parametrize(
    ("status", "answer", "judgement"),
    [
        (200, '{"text":"Success","code":0}', TAKEN),
        (200, '{"text":"Success","code":0,"ackId":7}', TAKEN),
        (201, '{"text":"Success","code":0}', None),
        (200, '{"text":"HEC is healthy","code":17}', None),
        (200, "<html>", None),
        (400, '{"text":"Invalid data format","code":6,"invalid-event-number":1}', ([(2, 2)], [(1, 1)])),
        (400, '{"text":"Event field cannot be blank","code":13,"invalid-event-number":2}', ([], [(2, 2)])),
        (400, '{"text":"Invalid data format","code":6,"invalid-event-number":3}', None),
        (400, '{"text":"Invalid data format","code":6,"invalid-event-number":-1}', None),
        (400, '{"text":"Invalid data format","code":6}', None),
        # Somebody mends these: the index, the channel, the token.
        (400, '{"text":"Incorrect index","code":7,"invalid-event-number":0}', None),
        (400, '{"text":"Data channel is missing","code":10}', None),
        (403, '{"text":"Invalid token","code":4}', None),
        (503, '{"text":"Server is busy","code":9,"invalid-event-number":1}', None),
    ],
)
def test_the_code_says_what_was_taken(status: int, answer: str, judgement: Any) -> None:
    judged = SPLUNK.judge(status, answer.encode(), 3)
    if isinstance(judgement, tuple):
        assert judged is not None
        assert (list(judged.again), list(judged.never)) == judgement
        assert judged.unread == (judged.again[0][0] if judged.again else None)
    else:
        assert judged == judgement


def test_people_are_told_which_event_it_was() -> None:
    answer = b'{"text":"Invalid data format","code":6,"invalid-event-number":1}'
    assert SPLUNK.judge(400, answer, 2) == Judgement((), ((1, 1),), "Splunk cannot read event 2 of 2 (code 6)")


def test_other_bytes_are_no_body() -> None:
    for body in (b"", b"[]", b"{}", b'{"event":1}\n', b'{"event":1}{"event":2}'):
        with pytest.raises(ValueError):  # noqa: PT011  (whatever the parser says)
            SPLUNK.pieces(body)


def test_a_choice_is_quoted() -> None:
    assert envelopes(joined("splunk/1", EVENTS[:1], options={"source": 'a"b\\c'}).decode())[0]["source"] == 'a"b\\c'
