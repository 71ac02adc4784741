"""`elastic/1` delivered to OpenSearch itself, into a data stream as Elastic's integrations use them."""

from typing import Any

import httpx
import pytest
import trustme

from auditcast.deliverers.outcomes import Piece, Verdict
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.formats.elastic import restored
from tests.bodies import joined, place
from tests.intakes.samples import event
from tests.intakes.servers import customer

HUNDRED = 100
STRICT: dict[str, Any] = {
    "@timestamp": {"type": "date"},
    "source.ip": {"type": "ip"},
    "user.id": {"type": "keyword"},
    "event.original": {"type": "keyword", "index": False, "doc_values": False},
}
"""As the Elastic Common Schema has them, where a wrong value is refused."""


@pytest.fixture
def stream(opensearch: str, request: pytest.FixtureRequest) -> str:
    """The URL of a data stream of this test's own."""
    name = f"logs-auditcast-{request.node.name}".lower().replace("[", "-").replace("]", "")
    template = {
        "index_patterns": [name],
        "data_stream": {},
        "template": {"mappings": {"properties": STRICT}, "settings": {"number_of_replicas": 0}},
    }
    put(f"{opensearch}/_index_template/{name}", template)
    put(f"{opensearch}/_data_stream/{name}")
    return f"{opensearch}/{name}"


def put(url: str, content: dict[str, Any] | None = None) -> None:
    httpx.put(url, json=content).raise_for_status()


def stored(stream: str) -> list[dict[str, Any]]:
    """All documents, in the order of their numbers."""
    httpx.post(f"{stream}/_refresh").raise_for_status()
    found = httpx.get(f"{stream}/_search", params={"size": 1000, "sort": "audit.event"})
    found.raise_for_status()
    hits: list[dict[str, Any]] = found.json()["hits"]["hits"]
    return hits


def path(stream: str) -> str:
    return f"{httpx.URL(stream).path}/_bulk"


def ends(pieces: list[Piece]) -> list[tuple[int, int, Verdict]]:
    return [(piece.first_event, piece.last_event, piece.outcome.verdict) for piece in pieces]


@pytest.mark.parametrize(("gzip", "document_id"), [(False, "event"), (True, "number")])
async def test_every_event_is_stored_once_and_leads_back_to_the_body(
    stream: str, ca: trustme.CA, gzip: bool, document_id: str
) -> None:
    events = [event(f"aud_{number}" + "é" * 250) for number in range(HUNDRED)]
    options = {"document_id": document_id}
    async with customer(ca, stream, "elastic/1") as here:
        pieces = await here.deliver(events, 7, path=path(stream), options=options, gzip=gzip)
        assert ends(pieces) == [(0, 0, Verdict.DELIVERED)], pieces
        hits = stored(stream)
        assert ends(await here.repeat()) == [(0, 0, Verdict.DELIVERED)]
    assert stored(stream) == hits
    body = joined("elastic/1", events, place(7), options)
    assert [restored(hit["_id"], hit["_source"]) for hit in hits] == list(FORMATS["elastic/1"].pieces(body).items)


async def test_no_metadata_is_refused_whatever_was_stored_before(stream: str, ca: trustme.CA) -> None:
    awkward: list[Any] = [
        {"a": 1},
        {"a": {"b": 1}},
        {"a.b": "x"},
        {"": None},
        {" ": [[1], {}]},
        {".": True},
        {"x" * 40_000: 1},
    ]
    events = [event(f"aud_{number}", metadata=metadata) for number, metadata in enumerate(awkward)]
    clients = [event(f"ip_{ip}", client={"ip": ip, "user_agent": "é" * 4096}) for ip in ("::1", "no address")]
    async with customer(ca, stream, "elastic/1") as here:
        pieces = await here.deliver([*events, *clients], path=path(stream))
    assert ends(pieces) == [(0, 0, Verdict.DELIVERED)], pieces
    assert len(stored(stream)) == len(events) + len(clients)


async def test_a_document_that_is_refused_stops_nobody_but_itself(stream: str, ca: trustme.CA) -> None:
    mapping = {"properties": {"organization": {"properties": {"id": {"type": "long"}}}}}
    put(f"{stream}/_mapping", mapping)
    events = [
        event("aud_1"),
        event("aud_2").replace(b'"workspaceid"', b'"organizationid":"acme","workspaceid"'),
        event("aud_3"),
    ]
    async with customer(ca, stream, "elastic/1") as here:
        pieces = await here.deliver(events, 5, path=path(stream))
    shares = [end for end in ends(pieces) if end[2] in (Verdict.DELIVERED, Verdict.DEAD)]
    assert shares == [(5, 5, Verdict.DELIVERED), (6, 6, Verdict.DEAD), (7, 7, Verdict.DELIVERED)]
    assert [hit["_id"] for hit in stored(stream)] == ["aud_1", "aud_3"]
    assert any("mapper_parsing_exception" in piece.outcome.detail for piece in pieces)


async def test_a_blocked_index_is_tried_again(stream: str, ca: trustme.CA) -> None:
    put(f"{stream}/_settings", {"index.blocks.write": True})
    async with customer(ca, stream, "elastic/1") as here:
        pieces = await here.deliver([event("aud_1"), event("aud_2")], path=path(stream))
    assert ends(pieces) == [(0, 0, Verdict.RETRY)]
    assert "403" in pieces[0].outcome.detail
