"""What processing costs: `auditcast processor` beside its bare parts, in CPU time per event, all in one run.

The parts: Faust's chunks handed over and dropped (another process, the same fetches), msgspec's decoding, `sequence`
spliced in, bodies joined and hashed, and confluent-kafka's produce of those bodies. Start-up is measured and taken off.
Then: five destinations for each workspace, a load of 1,000 events/s, an idle worker, and ten thousand open windows.
Needs Apache Kafka (Java and Maven); `--events N` makes it shorter.
"""

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import TopicPartition

from auditcast.kafka import clients, topics
from auditcast.kafka.local import ApacheBroker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import read_compacted
from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas import events
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import new_key
from auditcast.schemas.wire import encode

PARTITIONS = 4
WORKSPACES = 20
GOAL, GOAL_OF_FIVE = 1.5, 2.6
HEADERS: list[tuple[str, str | bytes | None]] = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
TICKS = os.sysconf("SC_CLK_TCK")


def event(number: int, workspaces: int) -> tuple[str, bytes]:
    """An event of some 480 bytes, with its key."""
    with MemoryAuditLog() as log:
        log.emit(
            workspace=f"ws_{number % workspaces}",
            category="permission",
            action="assigned",
            actor={"id": f"usr_{number % 97}", "type": "user"},
            metadata={"role": "admin", "note": "x" * 60},
        )
        return f"ws_{number % workspaces}", log.values[0]


def corpus(count: int, workspaces: int) -> list[tuple[str, bytes]]:
    """`count` events; a thousand of them are rendered, and repeated under ids of their own."""
    made = [event(number, workspaces) for number in range(max(1000, workspaces))]
    found = []
    for number in range(count):
        key, value = made[number % len(made)]
        start = value.index(b"aud_") + 4
        found.append((key, value[:start] + b"%032x" % number + value[value.index(b'"', start) :]))
    return found


class Stage:
    """One topic prefix with destinations, and the processes that work on it."""

    def __init__(self, bootstrap: str, name: str, destinations: int, workspaces: int = WORKSPACES) -> None:
        self.connection = Connection(bootstrap_servers=bootstrap, topic_prefix=name)
        self.topics = Topics(name)
        self.key = new_key()
        topics.create(self.connection, partitions=PARTITIONS)
        producer = clients.producer(self.connection)
        for number in range(destinations):
            revision = Revision(
                destination=f"dst_{number}",
                number=1,
                nonce="bench",
                state="active",
                changed_at=0,
                workspace=f"ws_{number % workspaces}",
                epoch="bench",
            )
            producer.produce(self.topics.destinations, encode(revision), key=revision.destination)
        producer.flush()
        with self.processor():
            self._await(lambda: self._in_force() == destinations)
            self.settle()

    def _in_force(self) -> int:
        keys = [read_compacted(self.connection, self.topics.links, partition, 30) for partition in range(PARTITIONS)]
        return sum(b"@" in key for found in keys for key in found)

    def emit(self, given: list[tuple[str, bytes]]) -> None:
        """Append events, as fast as may be."""
        producer = clients.producer(
            self.connection, linger_ms=50, queue_buffering_max_messages=2_000_000, queue_buffering_max_kbytes=2_000_000
        )
        for number, (key, value) in enumerate(given):
            producer.produce(self.topics.events, value, key=key, headers=HEADERS)
            if number % 1000 == 0:
                producer.poll(0)
        producer.flush()

    @contextmanager
    def processor(self, *command: str) -> Iterator[int]:
        """A worker, by its pid; `command` stands for another program on the same group."""
        environ = os.environ | {
            "AUDITCAST_BOOTSTRAP_SERVERS": self.connection.bootstrap_servers,
            "AUDITCAST_TOPIC_PREFIX": self.connection.topic_prefix,
            "AUDITCAST_SEALING_KEYS": self.key,
            "AUDITCAST_LOG_LEVEL": "ERROR",
        }
        arguments = command or ("-m", "auditcast.console", "processor")
        process = subprocess.Popen([sys.executable, *arguments], env=environ)  # noqa: S603  (our own program)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(20)

    def settle(self) -> None:
        """Return once all that was appended is committed."""
        reader = clients.reader(self.connection, group_id=self.topics.processor_group)
        places = [TopicPartition(self.topics.events, partition) for partition in range(PARTITIONS)]

        def done() -> bool:
            ends = [reader.get_watermark_offsets(place, timeout=10)[1] for place in places]
            # Nothing is committed of a partition in which nothing was.
            return [max(0, found.offset) for found in reader.committed(places, timeout=10)] == ends

        self._await(done)
        reader.close()

    @staticmethod
    def _await(condition: Callable[[], bool], seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("the stage did not settle")
            time.sleep(0.2)


def cpu_of(pid: int) -> float:
    """CPU seconds of a process, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid: int) -> int:
    """Resident MB of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) // 1024


def startup(stage: Stage) -> float:
    """CPU seconds of a worker until it has nothing to do."""
    with stage.processor() as pid:
        time.sleep(6)
        return cpu_of(pid)


def processing(stage: Stage, given: list[tuple[str, bytes]]) -> tuple[float, float, int]:
    """CPU µs per event, events per second, and MB, of a worker that finds `given` in the log."""
    idle = startup(stage)
    stage.emit(given)
    with stage.processor() as pid:
        began = time.monotonic()
        stage.settle()
        wall = time.monotonic() - began
        return (cpu_of(pid) - idle) / len(given) * 1e6, len(given) / wall, memory_of(pid)


def dropping(stage: Stage, given: list[tuple[str, bytes]]) -> float:
    """CPU µs per event of Faust alone: chunks handed over and dropped, and the end committed."""
    stage.emit([])
    program = str(Path(__file__).with_name("_dropping.py"))
    with stage.processor(program) as pid:
        time.sleep(6)
        idle = cpu_of(pid)
    stage.emit(given)
    with stage.processor(program) as pid:
        stage.settle()
        return (cpu_of(pid) - idle) / len(given) * 1e6


def bare(stage: Stage, given: list[tuple[str, bytes]], work: str) -> float:
    """CPU µs per event, of this process, of one bare part."""
    values = [value for _, value in given]
    bodies = [_join(values[at : at + 100], at) for at in range(0, len(values), 100)]
    producer = clients.producer(stage.connection, linger_ms=5, queue_buffering_max_kbytes=2_000_000)
    started = time.process_time()
    if work == "decode":
        for value in values:
            events.decode(value)
    elif work == "join":
        for at in range(0, len(values), 100):
            hashlib.sha256(_join(values[at : at + 100], at)).hexdigest()
    else:
        for number, body in enumerate(bodies):
            producer.produce(f"{stage.topics.batches}", body, key=f"dst_{number % WORKSPACES}", on_delivery=_ignore)
            producer.poll(0)
        producer.flush()
    return (time.process_time() - started) / len(given) * 1e6


def _ignore(*_: object) -> None:
    """A delivery callback."""


def _join(values: list[bytes], first: int) -> bytes:
    numbered = [b'%b,"sequence":"%020d"}' % (value[:-1], number) for number, value in enumerate(values, first)]
    return b"[" + b",".join(numbered) + b"]"


def compare(bootstrap: str, count: int, rounds: int) -> None:
    """The worker beside its parts, with one destination for each workspace and with five."""
    given = corpus(count, WORKSPACES)
    rows: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, work in _measurements(bootstrap, given, number).items():
            rows.setdefault(name, []).append(work())
    median = {name: statistics.median(values) for name, values in rows.items()}
    parts = sum(value for name, value in median.items() if name.startswith("part: "))
    print(f"{count} events of {len(given[0][1])} bytes, {rounds} rounds, CPU µs per event, medians")
    for name, value in median.items():
        print(f"  {name:44s}{value:8.2f}")
    one, five = median["auditcast processor"], median["the same, five destinations each"]
    print(f"  {'the parts together':44s}{parts:8.2f}")
    print(f"  {'processor / parts':44s}{one / parts:8.2f}   goal {GOAL}")
    print(f"  {'five destinations / one':44s}{five / one:8.2f}   goal {GOAL_OF_FIVE}")


def _measurements(bootstrap: str, given: list[tuple[str, bytes]], number: int) -> dict[str, Callable[[], float]]:
    def worker(destinations: int) -> float:
        stage = Stage(bootstrap, f"bench-{destinations}-{number}", destinations)
        cpu, rate, memory = processing(stage, given)
        print(f"  round {number + 1}: {destinations} destinations, {cpu:.2f} µs, {rate:,.0f} events/s, {memory} MB")
        return cpu

    drop = Stage(bootstrap, f"bench-drop-{number}", 0)
    return {
        "auditcast processor": lambda: worker(WORKSPACES),
        "part: Faust's chunks, dropped": lambda: dropping(drop, given),
        "part: decode": lambda: bare(drop, given, "decode"),
        "part: splice, join, SHA-256": lambda: bare(drop, given, "join"),
        "part: produce": lambda: bare(drop, given, "produce"),
        "the same, five destinations each": lambda: worker(5 * WORKSPACES),
    }


def idling(bootstrap: str, seconds: float) -> None:
    """The share of a core at 1,000 events/s, and with nothing to do."""
    stage = Stage(bootstrap, "bench-idle", WORKSPACES)
    producer = clients.producer(stage.connection, linger_ms=5)
    given = corpus(int(seconds * 1000), WORKSPACES)
    with stage.processor() as pid:
        time.sleep(6)
        before, began = cpu_of(pid), time.monotonic()
        time.sleep(seconds)
        idle = (cpu_of(pid) - before) / (time.monotonic() - began)
        before, began = cpu_of(pid), time.monotonic()
        for number, (key, value) in enumerate(given):
            producer.produce(stage.topics.events, value, key=key, headers=HEADERS)
            if number % 5 == 4:
                producer.poll(0)
                time.sleep(max(0.0, began + number / 1000 - time.monotonic()))
        loaded = (cpu_of(pid) - before) / (time.monotonic() - began)
        producer.flush()
    print(f"idle: {idle:.1%} of a core (goal 3 %); at 1,000 events/s: {loaded:.1%} (goal 10 %)")


def remembering(bootstrap: str, destinations: int) -> None:
    """Memory with an open window of ten events for each of many destinations."""
    stage = Stage(bootstrap, "bench-memory", destinations, workspaces=destinations)
    with stage.processor() as pid:
        time.sleep(6)
        empty = memory_of(pid)
        stage.emit(corpus(10 * destinations, destinations))
        highest = empty
        for _ in range(100):
            highest = max(highest, memory_of(pid))
            time.sleep(0.2)
    print(f"{destinations} destinations: {empty} MB, with ten events in each window {highest} MB (goal 500 MB)")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["compare", "idle", "memory"])
    options = parser.parse_args()
    with ApacheBroker() as broker:
        if options.only in (None, "compare"):
            compare(broker.bootstrap, options.events, options.rounds)
        if options.only in (None, "idle"):
            idling(broker.bootstrap, 20)
        if options.only in (None, "memory"):
            remembering(broker.bootstrap, 10_000)


if __name__ == "__main__":
    main()
