"""The pipeline of one measurement: fresh topics, destinations, workers, and who appends batches to it."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from secrets import token_hex

from _receivers import Door, Receivers

from auditcast.console.demo.workers import Worker
from auditcast.console.sealed import secret_text
from auditcast.kafka import clients, topics
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.schemas.chain import GENESIS, batch_id, stream_name
from auditcast.schemas.records import Batch, Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode

PARTITIONS = 12
BODY = b"[" + b",".join(b'{"id":"aud_%05d","data":"%b"}' % (number, b"x" * 452) for number in range(100)) + b"]"
"""48 kB, as 100 events are."""

PATIENCE_S = 600.0

Places = Mapping[str, Door]
"""Destinations, and where each is reached."""


class Pipeline:
    """Topics under a prefix of their own, with `destinations`, one in each workspace of the same number."""

    def __init__(self, broker: Broker, receivers: Receivers, folder: Path, places: Places) -> None:
        self.connection = broker.connection(f"bench-{token_hex(3)}")
        self.topics = Topics(self.connection.topic_prefix)
        self.appended: dict[tuple[str, int], float] = {}
        """When each batch, by destination and sequence, was appended: this machine's clock, as the receivers'."""

        self._key = new_key()
        self._folder = folder
        self._ca_file = receivers.ca_file
        self._workers: list[Worker] = []
        self._batches = {name: _batches(name) for name in places}
        self._producer = clients.producer(
            self.connection, linger_ms=0, queue_buffering_max_kbytes=1024 * 1024, queue_buffering_max_messages=1_000_000
        )
        topics.create(self.connection, PARTITIONS)
        sealer = Sealer([self._key])
        for number, (name, door) in enumerate(places.items()):
            revision = Revision(
                destination=name, number=1, nonce="0", state="active", changed_at=0, workspace=f"ws_{number}",
                epoch="e", url=receivers.url(name, door),
                secret=sealer.seal(f"{name}/secret", secret_text(bytes(32))),
            )  # fmt: skip
            self._producer.produce(self.topics.destinations, encode(revision), name)
        self._producer.flush()

    def fill(self, each: int) -> None:
        """Append so many batches for every destination, as fast as may be, in turn."""
        for _ in range(each):
            for name in self._batches:
                self.append(name)
            if len(self._producer) > 500:
                self._producer.flush()
        self._producer.flush()

    def steadily(self, rates: Mapping[str, float], seconds: float) -> tuple[float, float]:
        """Append to each destination so many batches a second, evenly; returns the first and the last moment."""
        begun = time.time()
        due = sorted(
            ((number + place / len(rates)) / rate, name)
            for place, (name, rate) in enumerate(rates.items())
            for number in range(round(rate * seconds))
        )
        for at, name in due:
            while (ahead := begun + at - time.time()) > 0:
                time.sleep(ahead)
            self.append(name)
            self._producer.poll(0)
        self._producer.flush()
        return begun, time.time()

    def append(self, destination: str) -> None:
        """Append its next batch."""
        batch = next(self._batches[destination])
        value = encode(batch)
        self.appended[destination, batch.sequence] = time.time()
        self._producer.produce(self.topics.batches, value, destination)

    @contextmanager
    def worker(self, kind: str, **settings: object) -> Iterator["Usage"]:
        """`auditcast KIND` with `settings`, which must end well."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AUDITCAST_")}
        ours = {
            "bootstrap_servers": self.connection.bootstrap_servers,
            "topic_prefix": self.connection.topic_prefix,
            "session_timeout_ms": self.connection.session_timeout_ms,
            "sealing_keys": self._key,
            "timestamps": "producer",
            "allowed_networks": "127.0.0.0/8",
            "delivery_ca_file": self._ca_file,
        }
        environ = inherited | {f"AUDITCAST_{name.upper()}": str(value) for name, value in (ours | settings).items()}
        worker = Worker(kind, kind, environ, self._folder / f"{self.connection.topic_prefix}-{kind}.log")
        self._workers.append(worker)
        try:
            yield Usage(worker.pid, worker.log)
            worker.terminate()
            asyncio.run(worker.ended(30))
            assert worker.code == 0, f"the {kind} did not end well: {worker.last_words()}"
        finally:
            worker.kill()
            self._workers.remove(worker)

    def wait(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        """Return once `condition` holds; raises `TimeoutError`, and `RuntimeError` if a worker has ended."""
        deadline = time.monotonic() + patience_s
        while not condition():
            for worker in self._workers:
                if worker.failed:
                    raise RuntimeError(f"the {worker.kind} has ended: {worker.last_words()}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} took more than {patience_s:g} s")
            time.sleep(0.02)


class Usage:
    """What a process has used, and said in its log."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self._log = log

    def said(self, words: str) -> int:
        """How often it has said this."""
        return self._log.read_text(errors="replace").count(words)

    @property
    def cpu_s(self) -> float:
        """CPU seconds of all its threads: its clock's number, as clock_getcpuclockid(3) makes it."""
        return time.clock_gettime((~self.pid << 3) | 2)

    @property
    def peak_mb(self) -> float:
        """Its largest resident memory until now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _batches(destination: str) -> Iterator[Batch]:
    """Its batches, without end, 100 events each."""
    stream = stream_name(destination, 0, "e")
    for sequence in count(1):
        yield Batch(
            id=batch_id(stream, sequence), destination=destination, revision_number=1, revision_nonce="0",
            stream=stream, sequence=sequence, first_event=sequence * 100 - 99, last_event=sequence * 100, partition=0,
            first_offset=0, last_offset=0, opened=0, format="cloudevents/1", gap="-", body_sha256=GENESIS,
            previous_digest=GENESIS, digest=GENESIS, body=BODY,
        )  # fmt: skip
