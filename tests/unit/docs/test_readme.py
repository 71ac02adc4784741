"""The README's two examples are one pipeline: what the first emits, the second takes as delivered."""

import re
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from auditcast.deliverers import request
from auditcast.deliverers.signing import key_of
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from auditcast.kafka.topics import partitions
from auditcast.processors.keys import Keys
from auditcast.processors.stream import Reached, Stream
from auditcast.processors.windows import Windows
from auditcast.schemas.admission import admit
from auditcast.schemas.chain import GENESIS, stream_name
from auditcast.schemas.manifests import FIRST
from auditcast.schemas.records import Batch, Link, ManifestLink, Revision, RevisionInForce
from auditcast.schemas.sealing import Sealer, new_key

README = (Path(__file__).parents[3] / "README.md").read_text()
EMITTING, RECEIVING = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SECRET = "whsec_yHO1gppk16zaNviOFGRSQqVSXacvgI+VoR8j16mb08c="


@pytest.fixture
def event(topics: Connection, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What the emitting example leaves in the log."""
    monkeypatch.setenv("AUDITCAST_BOOTSTRAP_SERVERS", topics.bootstrap_servers)
    monkeypatch.setenv("AUDITCAST_TOPIC_PREFIX", topics.topic_prefix)
    exec(EMITTING, {})  # noqa: S102  (our own page)
    consumer = clients.reader(topics)
    try:
        home = partition_of("ws_1", partitions(topics))
        consumer.assign([TopicPartition(Topics(topics.topic_prefix).events, home, 0)])
        record = consumer.poll(20)
        assert record is not None
        return record.value() or b""
    finally:
        consumer.close()


def batched(event: bytes) -> Batch:
    revision = Revision(destination="dst_1", number=1, nonce="", state="active", changed_at=0, epoch="0f")
    name = stream_name("dst_1", 0, "0f")
    rule = RevisionInForce(offset=0, timestamp=0, stream=name, revision=revision)
    link = Link(stream=name, sequence=0, last_event=0, last_offset=0, digest=GENESIS)
    manifest = ManifestLink(stream=name, until=0, offset=0, sequence=0, last_event=0, digest=GENESIS, manifest=FIRST)
    stream = Stream(0, rule, Reached(link, manifest, []), Keys(Sealer([new_key()]), None))
    Windows().open(stream, 1, 1_736_937_000_456)
    stream.events.append(admit(event)[1])
    return stream.close().batch


def test_what_is_emitted_is_taken_by_the_receiver_and_nothing_else_is(event: bytes) -> None:
    batch = batched(event)
    agent = {"content_type": "application/json", "agent": "auditcast/0"}
    sent = request.headers(batch, custom=[], key=key_of(SECRET), now=1_736_937_030, **agent)
    headers = {name.lower(): value for name, value in sent}
    names: dict[str, Any] = {}
    exec(RECEIVING, names)  # noqa: S102  (our own page)
    is_genuine = names["is_genuine"]
    assert is_genuine(SECRET, headers, batch.body)
    assert not is_genuine(SECRET, headers, batch.body + b" ")
    assert not is_genuine("whsec_AAAA", headers, batch.body)
    for name in ("stream", "sequence", "events", "opened", "format", "gap", "previous-digest"):
        assert not is_genuine(SECRET, headers | {f"x-audit-{name}": "other"}, batch.body)
