"""What the deliverer's end-to-end tests share: destinations and batches in the topics, deliverers as processes."""

import base64
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_bytes, token_hex

import msgspec
import trustme

from auditcast.console.demo.workers import Worker
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.scans import Scan
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import read_compacted
from auditcast.schemas.chain import GENESIS, batch_id, body_digest, digest_of, stream_name
from auditcast.schemas.records import Attempted, Batch, DeadLetter, Revision, SealedHeader, Status, TestResult
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import decode_as, encode
from tests.conftest import PARTITIONS

PATIENCE_S = 60.0
"""How long a test waits for what it expects; reached only if it fails."""


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for `condition`."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")
        time.sleep(0.02)


class Deliveries:
    """One test's destinations and batches, and what the deliverers made of them."""

    def __init__(self, connection: Connection, ca: trustme.CA, folder: Path) -> None:
        self.connection = connection
        self.topics = Topics(connection.topic_prefix)
        self.keys = [new_key()]
        self.secrets: dict[str, str] = {}
        self._revisions: dict[str, Revision] = {}
        self._folder = folder
        self._sealer = Sealer(self.keys)
        self._producer = clients.producer(connection)
        self._newest: dict[str, Batch] = {}
        ca.cert_pem.write_to_path(folder / "ca.pem")

    def destination(self, url: str, *, sealer: Sealer | None = None, headers: dict[str, str] | None = None) -> str:
        """Register a destination; returns its id."""
        name = f"dst_{token_hex(4)}"
        sealer = sealer or self._sealer
        self.secrets[name] = "whsec_" + base64.b64encode(token_bytes(32)).decode()
        revision = Revision(
            destination=name,
            number=1,
            nonce="00",
            state="active",
            changed_at=0,
            workspace="ws",
            url=url,
            headers=[
                SealedHeader(header, sealer.seal(f"{name}/headers/{header.lower()}", value))
                for header, value in (headers or {}).items()
            ],
            secret=sealer.seal(f"{name}/secret", self.secrets[name]),
            epoch="e",
        )
        self._revisions[name] = revision
        self.append(self.topics.destinations, name, encode(revision))
        return name

    def batches(self, destination: str, count: int) -> list[Batch]:
        """Append the next `count` batches of a destination's stream."""
        made = []
        for _ in range(count):
            batch = self._next(destination)
            self.append(self.topics.batches, destination, encode(batch))
            self._newest[destination] = batch
            made.append(batch)
        return made

    def test(self, destination: str) -> Batch:
        """Append a test delivery."""
        made = msgspec.structs.replace(self._next(destination), id=f"test-{token_hex(4)}", stream="", sequence=0)
        self.append(self.topics.batches, destination, encode(made))
        return made

    def append(self, topic: str, key: str, value: bytes | None) -> None:
        """Append any record; it is durable on return."""
        self._producer.produce(topic, value, key)
        self._producer.flush()

    def letters(self) -> dict[str, DeadLetter]:
        """The dead letters by their keys."""
        return {key: decode_as(DeadLetter, value) for key, value in self._read(self.topics.dead_letters)}

    def parked(self, destination: str) -> list[Batch]:
        """What was ever parked for a destination, in order."""
        with Scan(self.connection, self.topics.parked) as scan:
            found = [decode_as(Batch, message.value() or b"") for message in scan.to_end(PATIENCE_S)]
        return [batch for batch in found if batch.destination == destination]

    def attempted(self, destination: str) -> list[Attempted]:
        """Every attempt for a destination, in order."""
        with Scan(self.connection, self.topics.attempts) as scan:
            found = [decode_as(Attempted, message.value() or b"") for message in scan.to_end(PATIENCE_S)]
        return [one for one in found if one.destination == destination]

    def newest(self, destination: str) -> Revision:
        """The revision that the topic holds last."""
        return decode_as(Revision, dict(self._read(self.topics.destinations))[destination])

    def markers(self) -> set[str]:
        """The keys that say where something is parked, and how far it is released."""
        return {key for key, _ in self._read(self.topics.status) if key.startswith(("parked/", "released/"))}

    def status(self, destination: str) -> Status:
        """How a destination fares; as new if nothing was told yet."""
        raw = dict(self._read(self.topics.status)).get(destination)
        return Status(destination=destination, at=0) if raw is None else decode_as(Status, raw)

    def pause(self, destination: str, *, paused: bool) -> None:
        """Pause or resume a destination."""
        newest = self._revisions[destination]
        self._revisions[destination] = msgspec.structs.replace(newest, number=newest.number + 1, paused=paused)
        self.append(self.topics.destinations, destination, encode(self._revisions[destination]))

    def results(self) -> dict[str, TestResult]:
        """The results of tests by their batches' ids."""
        found = self._read(self.topics.status)
        return {key: decode_as(TestResult, value) for key, value in found if key.startswith("test-")}

    @contextmanager
    def deliverer(self, **environ: str) -> Iterator[Worker]:
        """A process of `auditcast deliverer`; SIGTERM at the end, if it has not ended until then."""
        own = {
            "AUDITCAST_BOOTSTRAP_SERVERS": self.connection.bootstrap_servers,
            "AUDITCAST_TOPIC_PREFIX": self.connection.topic_prefix,
            "AUDITCAST_SESSION_TIMEOUT_MS": str(self.connection.session_timeout_ms),
            "AUDITCAST_SEALING_KEYS": ",".join(self.keys),
            "AUDITCAST_TIMESTAMPS": "producer",
            "AUDITCAST_ALLOWED_NETWORKS": "127.0.0.0/8",
            "AUDITCAST_DELIVERY_CA_FILE": str(self._folder / "ca.pem"),
            "AUDITCAST_RETRY_DELAYS_MS": "100,100,100,100,100",
            "AUDITCAST_PROBE_MS": "200",
        }
        log = self._folder / f"deliverer-{token_hex(2)}.log"
        worker = Worker("deliverer", log.stem, {**os.environ, **own, **environ}, log)
        try:
            yield worker
            if worker.code is None:
                worker.terminate()
                until(lambda: worker.code is not None, f"the end of the deliverer; {log.read_text()[-2000:]}")
                assert worker.code == 0, log.read_text()[-2000:]
        finally:
            if worker.code is None:
                os.kill(worker.pid, signal.SIGKILL)

    def _read(self, topic: str) -> list[tuple[str, bytes]]:
        found: dict[bytes, bytes] = {}
        for partition in range(PARTITIONS):
            found |= read_compacted(self.connection, topic, partition, PATIENCE_S)
        return [(key.decode(), value) for key, value in found.items()]

    def _next(self, destination: str) -> Batch:
        stream = stream_name(destination, 0, "e")
        before = self._newest.get(destination)
        sequence = before.sequence + 1 if before else 1
        body = b'[{"specversion":"1.0","id":"%d"}]' % sequence
        batch = Batch(
            id=batch_id(stream, sequence),
            destination=destination,
            revision_number=1,
            revision_nonce="00",
            stream=stream,
            sequence=sequence,
            first_event=sequence,
            last_event=sequence,
            partition=0,
            first_offset=sequence,
            last_offset=sequence,
            opened=1_700_000_000_000 + sequence,
            format="cloudevents/1",
            gap="-",
            body_sha256=body_digest(body),
            previous_digest=before.digest if before else GENESIS,
            digest="",
            body=body,
        )
        return msgspec.structs.replace(batch, digest=digest_of(batch))
