"""A million events to 20 destinations, one of which answers 500 for 20 s from the start: are the other 19 ever silent?

Measured is the longest time in which one of them gets nothing between its first and its last batch (the goal is half a
second), and how long after the very first receipt the last of them gets its first (`start`). `machine` is the longest
that an idle process had to wait meanwhile. Two jobs, each beside the same with nobody failing. `filled`: 10,000 batches
of 48 kB lie in `audit.batches` before the deliverer starts. `live`: the events are emitted at a steady rate while
processor and deliverer run. It starts Apache Kafka unless told `--broker host:port`.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

from _figures import Book
from _machine import Machine
from _pipeline import PARTITIONS, Pipeline, Usage
from _receivers import Conduct, Door, Receivers
from process import HEADERS, corpus

from auditcast.kafka import clients
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.views import read_compacted

GOAL_S = 0.5
DESTINATIONS = 20
FAILING_S = 20.0
BATCH = 100
SETTINGS = {"retry_delays_ms": "2000,4000,8000,16000,32000", "probe_ms": 5000}
"""Shorter than the defaults, so that a bench sees the end of it."""


class Job:
    """All events, with the first destination failing or not."""

    def __init__(  # noqa: PLR0913  (all that a job is made of)
        self, broker: Broker, receivers: Receivers, machine: Machine, folder: Path, *, events: int, failing: bool
    ) -> None:
        self._sick, *self._healthy = (f"dst_{number:02}" for number in range(DESTINATIONS))
        self._events = events
        self._failing = failing
        self._receivers = receivers
        self._machine = machine
        self._book = Book()
        self._back: float | None = None
        places = {self._sick: Door.SICK} | dict.fromkeys(self._healthy, Door.WELL)
        self._pipeline = Pipeline(broker, receivers, folder, places)
        receivers.receipts()
        receivers.behave(Door.SICK, Conduct.FAILING if failing else Conduct.HEALTHY)

    def filled(self) -> None:
        """Batches that lie there."""
        self._pipeline.fill(self._events // BATCH // DESTINATIONS)
        with self._pipeline.worker("deliverer", **SETTINGS) as usage:
            self._watch("filled", usage)

    def live(self, rate: float) -> None:
        """Events that are emitted, so many a second."""
        given = corpus(self._events, DESTINATIONS)
        pipeline = self._pipeline
        with pipeline.worker("processor") as processor, pipeline.worker("deliverer", **SETTINGS) as usage:
            pipeline.wait(lambda: self._in_force() == DESTINATIONS, "bringing the destinations into force")
            pipeline.wait(lambda: processor.said("partition.loaded") >= PARTITIONS, "the processor's start")
            pipeline.wait(lambda: usage.said("partitions.assigned") > 0, "the deliverer's start")
            emitting = threading.Thread(target=self._emit, args=(given, rate), daemon=True)
            emitting.start()
            self._watch("live", usage)
            emitting.join()

    def _in_force(self) -> int:
        connection, links = self._pipeline.connection, self._pipeline.topics.links
        found = (read_compacted(connection, links, partition, 30) for partition in range(PARTITIONS))
        return sum(b"@" in key for keys in found for key in keys)

    def _emit(self, given: list[tuple[str, bytes]], rate: float) -> None:
        topic = self._pipeline.topics.events
        producer = clients.producer(self._pipeline.connection, linger_ms=5, queue_buffering_max_messages=1_000_000)
        begun = time.monotonic()
        for number, (key, value) in enumerate(given):
            producer.produce(topic, value, key=key, headers=HEADERS)
            if number % 200 == 0:
                producer.poll(0)
                time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        producer.flush()

    def _watch(self, name: str, usage: Usage) -> None:
        """Wait for everything, and print what was seen."""
        self._machine.stalled_s()
        cpu = usage.cpu_s
        self._pipeline.wait(self._complete, "delivering everything")
        spent, ends, stalled_s = usage.cpu_s - cpu, self._ends(), self._machine.stalled_s()
        begun, all_s = min(self._book.first.values()), max(ends.values())
        healthy_s = max(ends[each] for each in self._healthy)
        starts = [self._book.start(each) - begun for each in self._healthy]
        silences = [self._book.silence(each) for each in self._healthy]
        who = "one fails" if self._failing else "none fails"
        count = len(self._book.first)
        print(
            f"  {name:8}{who:12}{max(silences):10.2f}{max(starts):8.2f}{stalled_s:9.2f}{healthy_s - begun:9.1f}"
            f"{count / (all_s - begun):9.0f}{spent / count * 1e6:8.0f}{usage.peak_mb:8.0f}"
        )
        if self._back is not None:
            print(
                f"    the failing one, back after {self._back - begun:.1f} s, had everything {all_s - self._back:.1f} s"
                f" later; {self._book.refused} refused, {self._book.repeated} repeated"
            )

    def _ends(self) -> dict[str, float]:
        """When each destination got its last batch."""
        ends: dict[str, float] = {}
        for (name, _), at in self._book.first.items():
            ends[name] = max(at, ends.get(name, 0.0))
        return ends

    def _complete(self) -> bool:
        self._book.note(self._receivers.receipts())
        if self._failing and self._back is None and self._book.first:
            now = time.time()
            if now - min(self._book.first.values()) >= FAILING_S:
                self._receivers.behave(Door.SICK, Conduct.HEALTHY)
                self._back = now
        return len(self._book.first) == self._events // BATCH


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="a broker that runs already, with its own clock")
    parser.add_argument("--events", type=int, default=1_000_000, help="over all destinations, a multiple of 2,000")
    parser.add_argument("--rate", type=float, default=30_000, help="events emitted a second, in the live job")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["filled", "live"], help="one job")
    options = parser.parse_args()
    print(f"{options.events:,} events in batches of {BATCH}; in the live job {options.rate:,.0f} emitted a second")
    print(f"  {'':20}{'silent s':>10}{'start':>8}{'machine':>9}{'19 have':>9}{'came/s':>9}{'CPU µs':>8}{'MB':>8}")
    with (
        Broker(options.broker) if options.broker else ApacheBroker() as broker,
        tempfile.TemporaryDirectory() as folder,
        Receivers(Path(folder)) as receivers,
        Machine() as machine,
    ):
        for _ in range(options.rounds):
            for failing in (False, True):
                for name in [options.only] if options.only else ["filled", "live"]:
                    job = Job(broker, receivers, machine, Path(folder), events=options.events, failing=failing)
                    if name == "live":
                        job.live(options.rate)
                    else:
                        job.filled()
        print(f"goal: none of the {DESTINATIONS - 1} silent for more than {GOAL_S} s; {machine}")


if __name__ == "__main__":
    main()
