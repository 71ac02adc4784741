"""What verifying costs: `auditcast verify` in a process of its own, in CPU time per event, events/s and peak memory.

A million events in 10,000 bodies of 100: as deliveries whose signatures are checked, as single events in order and as
single events drawn at random, so that all of them wait for others of their batch. `--events N` makes it shorter.
"""

import argparse
import base64
import hmac
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from auditcast.producers.testing import MemoryAuditLog
from auditcast.schemas.chain import GENESIS, NO_GAP, body_digest, link_digest
from auditcast.schemas.formats import FORMATS, Place, rendering

PER_BATCH = 100
SECRET = bytes(32)
STREAM = "dst_bench-0-0000000000000000"
FORMAT = "cloudevents/2"
GOAL_S = 60


def events(count: int) -> Iterator[bytes]:
    """Events of some 480 bytes; a hundred of them are rendered, and repeated under ids of their own."""
    with MemoryAuditLog() as log:
        for number in range(PER_BATCH):
            log.emit(
                workspace="ws_1",
                category="permission",
                action="assigned",
                actor={"id": f"usr_{number}", "type": "user"},
                metadata={"role": "admin", "note": "x" * 60},
            )
        made = [value.partition(b"aud_") for value in log.values]
    for number in range(count):
        head, name, tail = made[number % PER_BATCH]
        yield head + name + b"%032x" % number + tail[tail.index(b'"') :]


def bodies(count: int) -> Iterator[tuple[Place, str, bytes]]:
    """The batches of a stream: place, digest, body."""
    form, given, previous = rendering(FORMAT, []), events(count), GENESIS
    for sequence in range(1, count // PER_BATCH + 1):
        first = (sequence - 1) * PER_BATCH + 1
        place = Place(
            stream=STREAM,
            sequence=sequence,
            first_event=first,
            opened=sequence,
            gap=NO_GAP,
            previous_digest=previous,
        )
        body = form.join([next(given) for _ in range(PER_BATCH)], place)
        previous = link_digest(
            stream=STREAM,
            sequence=sequence,
            first_event=first,
            last_event=first + PER_BATCH - 1,
            opened=sequence,
            format=FORMAT,
            body_sha256=body_digest(body),
            gap=NO_GAP,
            previous_digest=place.previous_digest,
        )
        yield place, previous, body


def delivery(place: Place, digest: str, body: bytes) -> str:
    """As a receiver keeps it."""
    identity = f"{STREAM}-{place.sequence}"
    signature = base64.b64encode(hmac.digest(SECRET, f"{identity}.1.".encode() + body, "sha256")).decode()
    headers = {
        "webhook-id": identity,
        "webhook-timestamp": "1",
        "webhook-signature": f"v1,{signature}",
        "X-Audit-Stream": STREAM,
        "X-Audit-Sequence": str(place.sequence),
        "X-Audit-Events": f"{place.first_event}-{place.first_event + PER_BATCH - 1}",
        "X-Audit-Opened": str(place.opened),
        "X-Audit-Format": FORMAT,
        "X-Audit-Gap": place.gap,
        "X-Audit-Previous-Digest": place.previous_digest,
        "X-Audit-Digest": digest,
    }
    return json.dumps({"headers": headers, "body": body.decode()})


def write(folder: Path, count: int) -> dict[str, Path]:
    """The three inputs."""
    paths = {
        name: folder / f"{number}.jsonl" for number, name in enumerate(("deliveries", "events", "events at random"))
    }
    with paths["deliveries"].open("w") as deliveries, paths["events"].open("wb") as single:
        for place, digest, body in bodies(count):
            deliveries.write(delivery(place, digest, body) + "\n")
            single.writelines(piece + b"\n" for piece in FORMATS[FORMAT].pieces(body).items)
    lines = paths["events"].read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)  # noqa: S311  (no secret)
    with paths["events at random"].open("wb") as shuffled:
        shuffled.writelines(lines)
    return paths


def measured(path: Path, count: int) -> tuple[float, float, float, int]:
    """CPU µs per event, events per second, seconds, and the most MB that a verification took."""
    environ = os.environ | {"AUDITCAST_SECRET": "whsec_" + base64.b64encode(SECRET).decode()}
    command = [sys.executable, "-m", "auditcast.console", "verify", str(path)]
    began, peak = time.monotonic(), 0
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE)  # noqa: S603  (our own program)
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        # Not `ru_maxrss`, which begins with what this process holds.
        peak = max(peak, peak_of(process.pid))
        time.sleep(0.05)
    wall = time.monotonic() - began
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    said = process.stdout.read().decode()
    assert process.returncode == 0, said
    assert f"batches 1 to {count // PER_BATCH}" in said
    return (used.ru_utime + used.ru_stime) / count * 1e6, count / wall, wall, peak


def peak_of(pid: int) -> int:
    """The most MB that a process has held, as long as it runs."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    """Measure each input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    count = parser.parse_args().events // PER_BATCH * PER_BATCH
    with tempfile.TemporaryDirectory() as folder:
        for name, path in write(Path(folder), count).items():
            size = path.stat().st_size / 1e6
            cpu, rate, wall, memory = measured(path, count)
            print(
                f"{name:18s}{count:>10,} events, {size:6.0f} MB: {cpu:6.2f} µs of CPU per event,"
                f" {rate:9,.0f} events/s, {wall:5.1f} s, {memory} MB at most"
            )
    print(f"goal: a million events in {GOAL_S} s")


if __name__ == "__main__":
    main()
