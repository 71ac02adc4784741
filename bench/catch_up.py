"""An outage of one destination under load, and how it catches up: 20 destinations, one of which refuses connections.

Printed are the time from its return to the first batch that it gets and to the last that was owed then, the order in
which it got them, what was written to Kafka for each batch owed beside the batch itself, the deliverer's memory, and
what the other 19 noticed. It starts Apache Kafka unless told `--broker host:port`.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, cast

from _figures import Book
from _machine import Machine
from _pipeline import BODY, PARTITIONS, Pipeline
from _receivers import Conduct, Door, Receivers
from confluent_kafka import Message, TopicPartition

from auditcast.kafka import clients
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.schemas.records import Batch
from auditcast.schemas.wire import decode_as

DESTINATIONS = 20
WARM_S = 10.0
AFTER_S = 20.0


class Outage:
    """One destination is down for a while, and the others are not."""

    def __init__(self, broker: Broker, receivers: Receivers, folder: Path, rate: float) -> None:
        self._down, *self._up = (f"dst_{number:02}" for number in range(DESTINATIONS))
        self._rates = {self._down: rate} | dict.fromkeys(self._up, rate / 10)
        self._receivers = receivers
        self._book = Book()
        self._pipeline = Pipeline(
            broker, receivers, folder, {self._down: Door.SICK} | dict.fromkeys(self._up, Door.WELL)
        )

    def run(self, seconds: float, settings: dict[str, object]) -> None:
        """Measure, and print."""
        pipeline, receivers, rates = self._pipeline, self._receivers, self._rates
        receivers.behave(Door.SICK, Conduct.HEALTHY)
        with pipeline.worker("deliverer", **settings) as usage:
            pipeline.wait(lambda: usage.said("partitions.assigned") > 0, "the deliverer's start")
            pipeline.steadily(rates, WARM_S / 2)
            before = pipeline.steadily(rates, WARM_S)
            pipeline.wait(self._complete, "delivering everything before the outage")
            peak_before, cpu_before = usage.peak_mb, usage.cpu_s
            receivers.behave(Door.SICK, Conduct.REFUSING)
            during = pipeline.steadily(rates, seconds)
            peak_during, cpu_during = usage.peak_mb, usage.cpu_s
            receivers.behave(Door.SICK, Conduct.HEALTHY)
            back = time.time()
            after = pipeline.steadily(rates, AFTER_S)
            pipeline.wait(self._complete, "catching up")
            peak, cpu = usage.peak_mb, usage.cpu_s
        kept = {topic: _kept(pipeline.connection, topic) for topic in self._topics}
        self._print_return(back, kept)
        self._print_written(kept)
        print(
            f"  deliverer: at most {peak_before:.0f} MB before, {peak_during:.0f} in the outage, {peak:.0f} in all;"
            f" {cpu_during - cpu_before:.1f} s of CPU in the outage, {cpu - cpu_during:.1f} after"
        )
        for name, span in (("before", before), ("in the outage", during), ("after", after)):
            found = self._book.delays(pipeline.appended, self._up, span)
            print(f"  others, {name:14} p50 {found.p50:7.1f} ms  p99 {found.p99:7.1f}  max {found.longest:7.1f}")

    def _print_return(self, back: float, kept: dict[str, "Kept"]) -> None:
        """When it got what it was owed, and in which order."""
        came = {sequence: at for (name, sequence), at in self._book.first.items() if name == self._down and at > back}
        in_order = sorted(came, key=lambda sequence: came[sequence])
        late = sum(after < before for after, before in zip(in_order[1:], accumulate(in_order, max), strict=False))
        owed = {batch[1] for batch in self._owed(back)}
        tried = {
            sequence for topic in self._pipeline.topics.retries for sequence in kept[topic].copies if sequence in owed
        }
        first_s, last_s = min(came.values()) - back, max(came[sequence] for sequence in owed - tried) - back
        print(f"  owed on its return: {len(owed)} batches, {len(owed) * len(BODY) / 1e6:.0f} MB")
        print(
            f"  the first after {first_s:.1f} s, the last after {last_s:.1f} s: {len(owed) / (last_s - first_s):.0f}/s;"
        )
        if tried:
            tried_s = max(came[sequence] for sequence in tried) - back
            print(f"  but for the {len(tried)} that had been tried, whose next attempt was due by {tried_s:.1f} s")
        print(f"  {late} came after a newer one; {self._book.repeated} repeated")

    def _print_written(self, kept: dict[str, "Kept"]) -> None:
        """What lies in the topics of copies."""
        for topic, found in kept.items():
            if found.records:
                most = f", at most {max(found.copies.values())} of one batch" if found.copies else ""
                size = f"{found.size / 1e6:7.1f} MB"
                print(f"  {topic.partition('.')[2]:18}{found.records:7} records, {size}{most}")
        rewritten = len(set().union(*(found.copies for found in kept.values())))
        each = sum(found.size for found in kept.values()) / rewritten
        print(f"  {each:,.0f} bytes written for each of the {rewritten} batches that waited, and of those that came")
        print(f"  meanwhile and queued up behind them: {each / len(BODY):.2f} times its size")

    @property
    def _topics(self) -> list[str]:
        topics = self._pipeline.topics
        return [topics.parked, *topics.retries, topics.dead_letters, topics.attempts, topics.status]

    def _owed(self, back: float) -> list[tuple[str, int]]:
        return [
            batch
            for batch, at in self._pipeline.appended.items()
            if batch[0] == self._down and at <= back < self._book.first[batch]
        ]

    def _complete(self) -> bool:
        self._book.note(self._receivers.receipts())
        return not self._book.owed(self._pipeline.appended)


class Kept(NamedTuple):
    """What a topic holds: records, bytes, and the copies of batches, by sequence."""

    records: int
    size: int
    copies: Counter[int]


def _kept(connection: Connection, topic: str) -> Kept:
    names, copies = Topics(connection.topic_prefix), Counter[int]()
    count = size = 0
    for record in _records(connection, topic):
        count, size = count + 1, size + _size(record)
        if topic in (names.parked, *names.retries):
            copies[decode_as(Batch, record.value() or b"").sequence] += 1
    return Kept(count, size, copies)


def _records(connection: Connection, topic: str) -> Iterator[Message]:
    """Everything that a topic holds."""
    reader = clients.reader(connection, auto_offset_reset="earliest")
    try:
        reader.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        left = PARTITIONS
        while left:
            for record in reader.consume(1000, 0.1):
                if record.error() is None:
                    yield record
                else:
                    left -= 1  # a partition's end: a reader tells it
    finally:
        reader.close()


def _size(record: Message) -> int:
    headers = cast("list[tuple[str, bytes | None]]", record.headers() or [])
    return sum(len(name) + len(value or b"") for name, value in [("", record.value()), ("", record.key()), *headers])


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="a broker that runs already, with its own clock")
    parser.add_argument("--rate", type=float, default=50, help="its batches a second; each other one has a tenth")
    parser.add_argument("--seconds", type=float, default=60, help="of the outage")
    parser.add_argument("--probe-ms", type=int, default=60_000, help="AUDITCAST_PROBE_MS")
    parser.add_argument("--delays-ms", metavar="LIST", help="AUDITCAST_RETRY_DELAYS_MS, instead of its default")
    options = parser.parse_args()
    settings: dict[str, object] = {"probe_ms": options.probe_ms}
    if options.delays_ms:
        settings["retry_delays_ms"] = options.delays_ms
    print(
        f"{options.rate:g} batches/s of {len(BODY) // 1000} kB to one destination, a tenth of that to each of 19 more;"
        f" it is down for {options.seconds:g} s; probes at most {options.probe_ms / 1000:g} s apart"
    )
    with (
        Broker(options.broker) if options.broker else ApacheBroker() as broker,
        tempfile.TemporaryDirectory() as folder,
        Receivers(Path(folder)) as receivers,
        Machine() as machine,
    ):
        Outage(broker, receivers, Path(folder), options.rate).run(options.seconds, settings)
        print(f"  an idle process waited {machine.stalled_s() * 1000:.0f} ms at most; {machine}")


if __name__ == "__main__":
    main()
