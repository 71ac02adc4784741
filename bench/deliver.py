"""What delivering costs: the deliverer beside a bare loop, in CPU time of the whole process per delivery of 48 kB.

The bare loop consumes the same records, makes two HMACs over each and posts it with aiohttp, one request in flight per
destination, over TLS and connections kept alive, as the deliverer does. Rounds of the two alternate, each from a topic
filled before; medians are printed. The goal is at most 1.7 times, with room for all that waits; with the usual memory,
such a backlog is partly parked, so that nobody waits for anybody else, and that has its price, printed beside. Then the
deliverer's memory, with 10 destinations and with 10,000. It starts Apache Kafka unless told `--broker host:port`.
"""

import argparse
import asyncio
import base64
import contextlib
import hmac
import multiprocessing
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import SpawnProcess
from pathlib import Path
from secrets import token_hex
from typing import Any

import aiohttp
import trustme
from confluent_kafka import Consumer

from auditcast.kafka import clients, topics
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.chain import GENESIS, batch_id, stream_name
from auditcast.schemas.records import Batch, Revision
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.wire import encode

GOAL = 1.7
BODY = b"[" + b",".join(b'{"id":"aud_%05d","data":"%b"}' % (number, b"x" * 452) for number in range(100)) + b"]"
KEY = os.urandom(32)
PARTITIONS = 8
DESTINATIONS = 32
ROOMY = str(4_000_000_000)
"""Memory for batches that wait, so much that none of them is parked."""

WARM = 500
"""Deliveries before the measuring begins: connections, caches, the group's join."""

PATIENCE_S = 300.0
MEMORY_GOAL_MB = 500

spawn = multiprocessing.get_context("spawn")


def receive(count: Any, port: Any, certificate: str) -> None:
    """A process: the least that answers a POST over TLS."""

    class Protocol(asyncio.Protocol):
        def __init__(self) -> None:
            self._buffer = bytearray()
            self._need = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = transport

        def data_received(self, data: bytes) -> None:
            self._buffer += data
            if not self._need:
                end = self._buffer.find(b"\r\n\r\n")
                if end < 0:
                    return
                head = bytes(self._buffer[:end]).lower()
                length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                self._need = end + 4 + length
            if len(self._buffer) >= self._need:
                del self._buffer[: self._need]
                self._need = 0
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")  # type: ignore[attr-defined]  # asyncio's base type lacks it
                count.value += 1

    async def serve() -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", 0, ssl=context, backlog=4096)
        port.value = server.sockets[0].getsockname()[1]
        await server.serve_forever()

    asyncio.run(serve())


def bare(connection: Connection, topic: str, port: int, ca_file: str) -> None:
    """A process: consume, two HMACs, POST; no vetting, no judging, no offsets but the consumer's own."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context(cafile=ca_file)
        lanes: dict[bytes, asyncio.Queue[bytes]] = {}
        room = threading.Semaphore(1000)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context)) as session:

            async def work(lane: asyncio.Queue[bytes], url: str) -> None:
                while True:
                    body = await lane.get()
                    at = str(int(time.time()))
                    headers = {
                        "Content-Type": "application/json",
                        "X-Webhook-Signature": "sha256=" + hmac.digest(KEY, body, "sha256").hex(),
                        "webhook-id": "id",
                        "webhook-timestamp": at,
                        "webhook-signature": "v1,"
                        + base64.b64encode(hmac.digest(KEY, b"id.%b.%b" % (at.encode(), body), "sha256")).decode(),
                    }
                    async with session.post(url, data=body, headers=headers) as response:
                        await response.read()
                    room.release()

            tasks = []

            def give(records: list[tuple[bytes, bytes]]) -> None:
                for key, value in records:
                    if key not in lanes:
                        lanes[key] = asyncio.Queue()
                        tasks.append(loop.create_task(work(lanes[key], f"https://127.0.0.1:{port}/{key.decode()}")))
                    lanes[key].put_nowait(value)

            def consume() -> None:
                consumer = _consumer(connection)
                consumer.subscribe([topic])
                while True:
                    records = [(each.key() or b"", each.value() or b"") for each in consumer.consume(32, 0.1)]
                    for _ in records:
                        room.acquire()
                    loop.call_soon_threadsafe(give, records)

            threading.Thread(target=consume, daemon=True).start()
            await asyncio.Event().wait()

    asyncio.run(main())


def _consumer(connection: Connection) -> Consumer:
    return clients.member(
        connection,
        "bare",
        enable_auto_offset_store=True,
        queued_max_messages_kbytes=16 * 1024,
        fetch_queue_backoff_ms=10,
    )


class Bench:
    """A broker and a receiver, and what runs against them."""

    def __init__(self, broker: Broker, folder: Path) -> None:
        self._broker = broker
        self._folder = folder
        self._sealing_key = new_key()
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "receiver.pem")
        self._count = spawn.Value("q", 0, lock=False)
        self._port = spawn.Value("i", 0, lock=False)

    @contextlib.contextmanager
    def receiver(self) -> Iterator[None]:
        """The receiver's process, as long as the context lasts."""
        process = spawn.Process(target=receive, args=(self._count, self._port, str(self._folder / "receiver.pem")))
        with _ended(process):
            _wait(lambda: self._port.value > 0, "the receiver")
            yield

    def fill(self, destinations: int, deliveries: int) -> Connection:
        """Fresh topics with so many batches for so many destinations."""
        connection = self._broker.connection(f"bench-{token_hex(3)}")
        topics.create(connection, PARTITIONS)
        names = Topics(connection.topic_prefix)
        producer = clients.producer(connection, queue_buffering_max_kbytes=1024 * 1024)
        sealer = Sealer([self._sealing_key])
        secret = "whsec_" + base64.b64encode(KEY).decode()
        for number in range(destinations):
            name = f"dst_{number:05}"
            revision = Revision(
                destination=name, number=1, nonce="0", state="active", changed_at=0, workspace="ws", epoch="e",
                url=f"https://127.0.0.1:{self._port.value}/{name}", secret=sealer.seal(f"{name}/secret", secret),
            )  # fmt: skip
            producer.produce(names.destinations, encode(revision), name)
        for number in range(deliveries):
            batch = _batch(f"dst_{number % destinations:05}", number // destinations + 1)
            producer.produce(names.batches, encode(batch), batch.destination)
            if number % 500 == 0:
                producer.flush()
        producer.flush()
        return connection

    def bare_us(self, connection: Connection, deliveries: int) -> tuple[float, float]:
        """CPU µs per delivery of the bare loop, and deliveries per second."""
        topic = Topics(connection.topic_prefix).batches
        self._count.value = 0
        process = spawn.Process(target=bare, args=(connection, topic, self._port.value, str(self._folder / "ca.pem")))
        with _ended(process):
            return self._measured(process.pid or 0, deliveries)

    def deliverer_us(self, connection: Connection, deliveries: int, **environ: str) -> tuple[float, float]:
        """The same of the deliverer."""
        with self._deliverer(connection, **environ) as pid:
            return self._measured(pid, deliveries)

    def peak_mb(self, connection: Connection, deliveries: int) -> float:
        """The deliverer's largest resident memory, in MB, while it makes all deliveries."""
        with self._deliverer(connection) as pid:
            _wait(lambda: self._count.value >= deliveries, f"{deliveries} deliveries")
            status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1000

    @contextlib.contextmanager
    def _deliverer(self, connection: Connection, **more: str) -> Iterator[int]:
        self._count.value = 0
        environ = more | {
            "AUDITCAST_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
            "AUDITCAST_TOPIC_PREFIX": connection.topic_prefix,
            "AUDITCAST_SESSION_TIMEOUT_MS": "6000",
            "AUDITCAST_SEALING_KEYS": self._sealing_key,
            "AUDITCAST_TIMESTAMPS": "producer",
            "AUDITCAST_ALLOWED_NETWORKS": "127.0.0.0/8",
            "AUDITCAST_DELIVERY_CA_FILE": str(self._folder / "ca.pem"),
        }
        log = self._folder / "deliverer.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "auditcast.console", "deliverer"], env=os.environ | environ, stderr=out
            )
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()
        assert process.returncode == 0, log.read_text()[-2000:]

    def _measured(self, pid: int, deliveries: int) -> tuple[float, float]:
        _wait(lambda: self._count.value >= WARM, "the first deliveries")
        begun, cpu, at = self._count.value, _cpu_s(pid), time.monotonic()
        _wait(lambda: self._count.value >= deliveries, f"{deliveries} deliveries")
        made, spent, took = self._count.value - begun, _cpu_s(pid) - cpu, time.monotonic() - at
        return spent / made * 1e6, made / took


def _batch(destination: str, sequence: int) -> Batch:
    stream = stream_name(destination, 0, "e")
    return Batch(
        id=batch_id(stream, sequence), destination=destination, revision_number=1, revision_nonce="0", stream=stream,
        sequence=sequence, first_event=sequence * 100 - 99, last_event=sequence * 100, partition=0, first_offset=0,
        last_offset=0, opened=0, format="cloudevents/1", gap="-", body_sha256=GENESIS, previous_digest=GENESIS,
        digest=GENESIS, body=BODY,
    )  # fmt: skip


def _cpu_s(pid: int) -> float:
    """CPU seconds of all threads of a process: its clock's number, as clock_getcpuclockid(3) makes it."""
    return time.clock_gettime((~pid << 3) | 2)


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took more than {PATIENCE_S:g} s")
        time.sleep(0.002)


@contextlib.contextmanager
def _ended(process: SpawnProcess) -> Iterator[None]:
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def costs(bench: Bench, rounds: int, deliveries: int) -> None:
    """Print what a delivery costs."""
    kinds: dict[str, Callable[[Connection], tuple[float, float]]] = {
        "bare loop": lambda topics: bench.bare_us(topics, deliveries),
        "deliverer": lambda topics: bench.deliverer_us(topics, deliveries, AUDITCAST_DELIVERY_BUFFER_BYTES=ROOMY),
        "with parking": lambda topics: bench.deliverer_us(topics, deliveries),
    }
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind, measure in kinds.items():
            found[kind].append(measure(bench.fill(DESTINATIONS, deliveries)))
        print(f"round {number + 1}: " + ", ".join(f"{kind} {found[kind][-1][0]:.0f} µs" for kind in kinds))
    cost = {kind: statistics.median(each[0] for each in measured) for kind, measured in found.items()}
    rate = {kind: statistics.median(each[1] for each in measured) for kind, measured in found.items()}
    print(f"CPU per delivery of {len(BODY) // 1000} kB, {DESTINATIONS} destinations, medians of {rounds} rounds:")
    for kind in kinds:
        print(f"  {kind:12} {cost[kind]:6.0f} µs  {rate[kind]:6.0f} deliveries/s")
    print(f"  ratio {cost['deliverer'] / cost['bare loop']:.2f}, goal at most {GOAL}")


def memory(bench: Bench) -> None:
    """Print how much memory few and many destinations take."""
    print("Largest resident memory of the deliverer:")
    for destinations, deliveries in ((10, 20_000), (10_000, 20_000)):
        peak = bench.peak_mb(bench.fill(destinations, deliveries), deliveries)
        print(f"  {destinations:6} destinations, {deliveries} batches: {peak:4.0f} MB, goal under {MEMORY_GOAL_MB}")


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="a broker that runs already, with its own clock")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deliveries", type=int, default=5000, help="of each variant and round")
    parser.add_argument("--no-memory", action="store_true", help="leave the memory out, which takes minutes")
    options = parser.parse_args()
    with (
        Broker(options.broker) if options.broker else ApacheBroker() as broker,
        tempfile.TemporaryDirectory() as folder,
    ):
        bench = Bench(broker, Path(folder))
        with bench.receiver():
            costs(bench, options.rounds, options.deliveries)
            if not options.no_memory:
                memory(bench)


if __name__ == "__main__":
    main()
