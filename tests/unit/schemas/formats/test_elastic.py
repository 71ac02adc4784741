"""Bodies as `_bulk` takes them and documents that no index refuses; `make intakes` has OpenSearch itself take them."""

import json
from typing import Any

import pytest
from hypothesis import given

from auditcast.schemas.admission import admit
from auditcast.schemas.formats import FORMATS, TAKEN, Judgement
from auditcast.schemas.formats.elastic import restored
from tests.bodies import joined, place
from tests.unit.schemas.formats.drawn import events
from tests.unit.schemas.test_formats import EVENTS, GOLDEN_PLACE

ELASTIC = FORMATS["elastic/1"]


def documents(body: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The `_id` and the document of each."""
    lines = body.decode().removesuffix("\n").split("\n")
    assert body.endswith(b"\n")
    return [
        (json.loads(action)["create"]["_id"], json.loads(document))
        for action, document in zip(lines[::2], lines[1::2], strict=True)
    ]


def shape(value: Any, path: str = "") -> dict[str, type]:
    """Which type each member has, by its path; a list has those of its items."""
    if isinstance(value, dict):
        return {k: v for name, member in value.items() for k, v in shape(member, f"{path}.{name}").items()}
    return {path: type(value[0] if isinstance(value, list) else value)}


@given(drawn=events)
def test_members_have_the_same_names_and_types_whatever_an_event_holds(drawn: bytes) -> None:
    [(_, document)] = documents(joined("elastic/1", [drawn]))
    numbers = {".audit.event", ".audit.batch", ".audit.opened"}
    found = shape(document)
    assert {path for path, kind in found.items() if kind is int} == numbers
    assert {kind for path, kind in found.items() if path not in numbers} == {str}
    assert set(found) <= KNOWN
    assert document["event"]["original"].encode() == drawn


KNOWN = {
    *(".@timestamp", ".message", ".ecs.version", ".organization.id", ".user_agent.original"),
    *(f".event.{name}" for name in ("kind", "module", "dataset", "id", "category", "type", "action")),
    *(".event.outcome", ".event.original"),
    *(".user.id", ".user.name", ".user.email", ".source.address", ".source.ip"),
    *(f".audit.{name}" for name in ("type", "source", "workspace", "actor_type", "metadata")),
    *(".audit.target.type", ".audit.target.id", ".audit.target.name"),
    *(f".audit.{name}" for name in ("event", "stream", "batch", "opened", "gap", "previous")),
}  # fmt: skip


@given(drawn=events)
def test_what_is_stored_leads_back_to_the_body(drawn: bytes) -> None:
    for at in (GOLDEN_PLACE, place(3)):
        body = joined("elastic/1", [drawn], at)
        [piece] = ELASTIC.pieces(body).items
        [(identity, document)] = documents(body)
        # Synthetic sources have members in another order, lists sorted, and lists of one as their only member.
        stored = json.loads(json.dumps(document, sort_keys=True))
        stored["event"] |= {name: stored["event"][name][0] for name in ("category", "type")}
        stored["audit"].get("metadata", []).reverse()
        assert restored(identity, {**stored, "tags": ["added"]}) == piece
        stored["user"]["id"] += "!"
        assert restored(identity, stored) != piece


def test_an_address_that_is_none_is_not_put_where_only_addresses_may_be() -> None:
    for text, ip in (("::1", "::1"), ("fe80::1%eth0", None), ("1.2.3.4, 5.6.7.8", None)):
        event = json.loads(EVENTS[0])
        event["data"]["client"] = {"ip": text}
        [(_, document)] = documents(joined("elastic/1", [admit(json.dumps(event).encode())[1]]))
        assert (document["source"]["address"], document["source"].get("ip")) == (text, ip)


def test_an_id_is_the_events_own_unless_it_is_longer_than_an_id_may_be() -> None:
    longest, longer = "é" * 256, "€" * 171
    bodies = [EVENTS[0].replace(b"aud_1", each.encode()) for each in (longest, longer)]
    [first, second] = [identity for identity, _ in documents(joined("elastic/1", bodies))]
    assert first == longest
    assert second.startswith("sha256-")
    assert len(second) == 71


def test_ids_may_be_numbers_in_the_stream_where_emitters_repeat_theirs() -> None:
    options = {"document_id": "number"}
    body = joined("elastic/1", [EVENTS[0], EVENTS[0]], place(99), options)
    assert [identity for identity, _ in documents(body)] == [f"dst_1-3-00ff00ff00ff00ff-{n}" for n in (99, 100)]
    # All manifests of a stream have the number 0.
    [(identity, _)] = documents(joined("elastic/1", EVENTS[:1], place(0, sequence=0), options))
    assert identity == "aud_1"


def answer(*statuses: int, **error: str) -> bytes:
    refused = {"error": {"type": "document_parsing_exception", "reason": "Ada", **error}}
    items = [{"create": {"_id": "x", "status": each, **(refused if each >= 300 else {})}} for each in statuses]
    said = {"took": 1, "errors": any(each >= 300 for each in statuses), "items": items}
    return json.dumps(said, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("said", "judgement"),
    [
        (answer(201, 201, 201), TAKEN),
        (answer(201, 409, 201), TAKEN),
        (b'{"errors":false}', TAKEN),
        (b'{"errors":true}', None),
        (answer(201, 201), None),
        (b'{"errors":false,"items":[]}', None),
        (b"<html>", None),
        # Cut short: the deliverer reads so much of an answer and no more.
        (answer(201, 201, 201)[:60], TAKEN),
        (b'{"errors":false,"took":7,"items":[{', TAKEN),
        (answer(201, 201, 400)[:60], None),
        (answer(400, 201, 400), ([], [(0, 0), (2, 2)])),
        (answer(429, 503, 400), ([(0, 1)], [(2, 2)])),
        # Somebody mends these: a key's rights, a blocked index, one that is missing.
        (answer(403, 404, 401), ([(0, 2)], [])),
        (answer(302, -1, 201), ([(0, 1)], [])),
    ],
)
def test_each_document_has_an_answer_of_its_own(said: bytes, judgement: Any) -> None:
    judged = ELASTIC.judge(200, said, 3)
    if isinstance(judgement, tuple):
        assert judged is not None
        assert (list(judged.again), list(judged.never)) == judgement
    else:
        assert judged == judgement


def test_people_are_told_why_without_what_the_documents_hold() -> None:
    judged = ELASTIC.judge(200, answer(400, 201, 429), 3)
    assert judged == Judgement(
        ((2, 2),),
        ((0, 0),),
        "2 of 3 documents were refused (400 document_parsing_exception: 1, 429 document_parsing_exception: 1)",
    )
    hostile = ELASTIC.judge(200, answer(400, type="Ada Lovelace\n"), 1)
    assert hostile is not None
    assert hostile.detail == "1 of 1 documents were refused (400: 1)"


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"{}\n{}\n", b'{"create":{}}\n', b'{"create":{}}\n{}', b'{"create":{}}\n{}\n{"create":{}}\n']
)
def test_other_bytes_are_no_body(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  (whatever the parser says)
        ELASTIC.pieces(body)
