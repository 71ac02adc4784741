"""What the healthy destinations notice of the sick ones: 100 destinations, 10 of which fall ill, all in one run.

For each illness fresh topics and a fresh deliverer: first all are healthy, then 10 are ill, then they are back. Batches
of 48 kB are appended to `audit.batches` at a steady rate; the delay is from there to the receipt, of the 90 that are
healthy throughout. `machine` is the longest that an idle process had to wait meanwhile: without a quiet machine, the
figures say little. The goal is a p99 of at most 1.2 times, or 20 ms more than, that of the healthy time just before.
It starts Apache Kafka unless told `--broker host:port`.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

from _figures import Book, Delays
from _machine import Machine
from _pipeline import Pipeline, Usage
from _receivers import Conduct, Door, Receivers

from auditcast.kafka.local import ApacheBroker, Broker

GOAL, GOAL_MS = 1.2, 20.0
DESTINATIONS, SICK = 100, 10
ILLNESSES = {
    "none": Conduct.HEALTHY,
    "silent": Conduct.SILENT,
    "deaf": Conduct.DEAF,
    "slow": Conduct.SLOW,
    "failing": Conduct.FAILING,
}
SETTINGS = {"retry_delays_ms": "2000,4000,8000,16000,32000", "probe_ms": 5000}
"""Shorter than the defaults, so that what is retried and probed weighs on the few seconds of a bench."""

WARM_S = 10.0


class Phase(NamedTuple):
    """A time under one conduct, and what was measured in it."""

    name: str
    span: tuple[float, float]
    cpu_us: float
    rate: float
    stalled_ms: float


class Trial:
    """One illness, from health to recovery."""

    def __init__(self, broker: Broker, receivers: Receivers, machine: Machine, folder: Path, rate: float) -> None:
        names = [f"dst_{number:03}" for number in range(DESTINATIONS)]
        # Every tenth, so that each partition has healthy ones and sick ones.
        places = {name: Door.SICK if number % (DESTINATIONS // SICK) == 0 else Door.WELL
                  for number, name in enumerate(names)}  # fmt: skip
        self._healthy = {name for name, door in places.items() if door is Door.WELL}
        self._rates = dict.fromkeys(names, rate / len(names))
        self._receivers = receivers
        self._machine = machine
        self._book = Book()
        self._pipeline = Pipeline(broker, receivers, folder, places)

    def run(self, illness: Conduct, seconds: float) -> None:
        """Print a line for each phase."""
        with self._pipeline.worker("deliverer", **SETTINGS) as usage:
            self._pipeline.steadily(self._rates, WARM_S)
            self._pipeline.wait(lambda: not self._owed(), "the first deliveries", 60)
            phases = [
                self._phase(usage, f"{DESTINATIONS} healthy", Conduct.HEALTHY, seconds),
                self._phase(usage, f"{SICK}: {illness}", illness, 1.5 * seconds),
                self._phase(usage, f"{SICK} are back", Conduct.HEALTHY, seconds),
            ]
            self._pipeline.wait(lambda: not self._owed(), "delivering everything")
            peak = usage.peak_mb
        before = self._delays(phases[0])
        for phase in phases:
            _show(phase, self._delays(phase), before)
        print(
            f"    at most {peak:.0f} MB; {self._book.refused} refused, {self._book.repeated} repeated; {self._machine}"
        )

    def _phase(self, usage: Usage, name: str, conduct: Conduct, seconds: float) -> Phase:
        self._receivers.behave(Door.SICK, conduct)
        self._machine.stalled_s()
        cpu, accepted = usage.cpu_s, self._receivers.accepted
        span = self._pipeline.steadily(self._rates, seconds)
        spent, came = usage.cpu_s - cpu, self._receivers.accepted - accepted
        return Phase(name, span, spent / came * 1e6, came / (span[1] - span[0]), self._machine.stalled_s() * 1000)

    def _delays(self, phase: Phase) -> Delays:
        return self._book.delays(self._pipeline.appended, self._healthy, phase.span)

    def _owed(self) -> int:
        self._book.note(self._receivers.receipts())
        return self._book.owed(self._pipeline.appended)


def _show(phase: Phase, found: Delays, before: Delays) -> None:
    beside = f"{found.p99 / before.p99:6.2f} {found.p99 - before.p99:+7.1f}"
    if found.p99 > max(before.p99 * GOAL, before.p99 + GOAL_MS):
        beside += "  missed"
    print(
        f"  {phase.name:48}{found.p50:8.1f}{found.p99:8.1f}{found.longest:8.1f}"
        f"{phase.stalled_ms:9.0f}{phase.rate:8.0f}{phase.cpu_us:8.0f} {beside}"
    )


def main() -> None:
    """Run the bench."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--broker", metavar="HOST:PORT", help="a broker that runs already, with its own clock")
    parser.add_argument("--rate", type=float, default=200, help="batches a second, over all destinations")
    parser.add_argument("--seconds", type=float, default=20, help="of each healthy time; an illness lasts half more")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=ILLNESSES, help="one illness")
    options = parser.parse_args()
    print(f"ms from append to receipt, of the {DESTINATIONS - SICK} healthy; {options.rate:g} batches/s of 48 kB")
    print(f"  {'':48}{'p50':>8}{'p99':>8}{'max':>8}{'machine':>9}{'came/s':>8}{'CPU µs':>8}  p99 beside before")
    with (
        Broker(options.broker) if options.broker else ApacheBroker() as broker,
        tempfile.TemporaryDirectory() as folder,
        Receivers(Path(folder)) as receivers,
        Machine() as machine,
    ):
        for _ in range(options.rounds):
            for name in [options.only] if options.only else ILLNESSES:
                trial = Trial(broker, receivers, machine, Path(folder), options.rate)
                trial.run(ILLNESSES[name], options.seconds)
    print(f"goal: a p99 of at most {GOAL} times, or {GOAL_MS:g} ms more than, before")


if __name__ == "__main__":
    main()
