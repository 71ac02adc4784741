"""`auditcast alerts` as a process: from what lies in the topics to what lies in a mailbox, over TLS."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from auditcast.console.demo.workers import Worker
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection
from auditcast.kafka.views import read_compacted
from auditcast.schemas.records import Alerted, Attempt, DeadLetter, Revision, Status, Workspace
from auditcast.schemas.wire import decode_as, encode
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import PATIENCE_S, until
from tests.mailbox import PASSWORD, Mailbox

DAY_MS = 86_400_000


def now() -> int:
    return int(time.time() * 1000)


class Alerts:
    """The topics, a mailbox, and workers."""

    def __init__(self, connection: Connection, ca: trustme.CA, folder: Path) -> None:
        self.topics = Topics(connection.topic_prefix)
        self.mailbox = Mailbox(ca)
        self._connection = connection
        self._folder = folder
        self._producer = clients.producer(connection)
        ca.cert_pem.write_to_path(folder / "ca.pem")

    def destination(self, name: str, **more: Any) -> None:
        """Register a destination."""
        fields: dict[str, Any] = {
            "destination": name,
            "number": 1,
            "nonce": "00",
            "state": "active",
            "changed_at": 0,
            "workspace": "ws",
            "epoch": "e",
            "url": f"https://{name.replace('_', '-')}.example.com/in?key=SECRET",
            "alert_to": [f"{name}@example.com"],
        }
        self.append(self.topics.destinations, name, encode(Revision(**fields | more)))

    def failing(self, name: str, letters: int = 1, **more: Any) -> None:
        """It fares badly."""
        last = Attempt(at=now(), latency_ms=1, status=500, answer="sorry")
        fields: dict[str, Any] = {
            "at": now(),
            "last": last,
            "failures": 6,
            "failing_since": now() - 3_600_000,
            "dead_letters": letters,
            "last_dead_letter": now(),
        }
        self.append(self.topics.status, name, encode(Status(destination=name, **fields | more)))

    def append(self, topic: str, key: str, value: bytes, timestamp: int = 0) -> None:
        """Append any record; it is durable on return."""
        self._producer.produce(topic, value, key, timestamp=timestamp)
        assert self._producer.flush(PATIENCE_S) == 0

    def told(self) -> dict[str, Alerted]:
        """What was told, by destination."""
        return {key: decode_as(Alerted, value) for key, value in self._read(self.topics.alerts)}

    def revision(self, name: str) -> Revision:
        """The newest revision of a destination."""
        return decode_as(Revision, dict(self._read(self.topics.destinations))[name])

    def log(self) -> str:
        """What all workers logged."""
        return "\n".join(log.read_text() for log in sorted(self._folder.glob("alerts-*.log")))

    @contextmanager
    def worker(self, **environ: str) -> Iterator[Worker]:
        """A process of `auditcast alerts`; SIGTERM at the end, if it has not ended until then."""
        own = {
            "AUDITCAST_BOOTSTRAP_SERVERS": self._connection.bootstrap_servers,
            "AUDITCAST_TOPIC_PREFIX": self._connection.topic_prefix,
            "AUDITCAST_SESSION_TIMEOUT_MS": str(self._connection.session_timeout_ms),
            "AUDITCAST_TIMESTAMPS": "producer",
            **self.mailbox.environ(str(self._folder / "ca.pem")),
        }
        log = self._folder / f"alerts-{len(list(self._folder.glob('alerts-*.log')))}.log"
        worker = Worker("alerts", log.stem, {**os.environ, **own, **environ}, log)
        try:
            yield worker
            if worker.code is None:
                worker.terminate()
                until(lambda: worker.code is not None, f"the end of the worker; {log.read_text()[-2000:]}")
                assert worker.code == 0, log.read_text()[-2000:]
        finally:
            if worker.code is None:
                os.kill(worker.pid, signal.SIGKILL)

    def emails(self, count: int) -> list[str]:
        """Wait for so many emails; their subjects."""
        until(lambda: len(self.mailbox.emails) >= count, f"{count} emails; {self.log()[-3000:]}")
        return [email["Subject"] for email in self.mailbox.emails]

    def _read(self, topic: str) -> list[tuple[str, bytes]]:
        found: dict[bytes, bytes] = {}
        for partition in range(PARTITIONS):
            found |= read_compacted(self._connection, topic, partition, PATIENCE_S)
        return [(key.decode(), value) for key, value in found.items()]


@pytest.fixture
def alerts(topics: Connection, ca: trustme.CA, tmp_path: Path) -> Iterator[Alerts]:
    made = Alerts(topics, ca, tmp_path)
    with made.mailbox:
        yield made


def test_an_outage_is_one_email_whatever_becomes_of_the_workers(alerts: Alerts) -> None:
    alerts.destination("dst_1")
    alerts.failing("dst_1")
    with alerts.worker() as worker:
        (subject,) = alerts.emails(1)
        assert "1 batch not delivered: dst_1" in subject
        assert alerts.mailbox.recipients == [["dst_1@example.com"]]
        until(lambda: "dst_1" in alerts.told(), "what was told is written down")
        alerts.failing("dst_1", letters=50)
        worker.kill()
        until(lambda: worker.code is not None, "its end")
    with alerts.worker():
        # Another destination shows when the restarted worker has looked at everything.
        alerts.destination("dst_2")
        alerts.failing("dst_2")
        assert len(alerts.emails(2)) == 2
        until(lambda: alerts.told().keys() == {"dst_1", "dst_2"}, "both are told of")
    assert [told.number for told in alerts.told().values()] == [1, 1]
    assert alerts.told()["dst_1"].dead_letters == 1
    assert not any(secret in alerts.log() for secret in ("SECRET", PASSWORD))


def test_a_mail_server_that_is_away_delays(alerts: Alerts) -> None:
    alerts.mailbox.close()
    alerts.destination("dst_1")
    alerts.failing("dst_1")
    with alerts.worker():
        until(lambda: "alerts.delayed" in alerts.log(), "the failure is logged")
        assert alerts.told() == {}
        alerts.mailbox.open()
        assert len(alerts.emails(1)) == 1


def test_workers_share_the_destinations_out(alerts: Alerts) -> None:
    names = [f"dst_{number}" for number in range(16)]
    with alerts.worker(), alerts.worker():
        until(lambda: _shares(alerts.log()) == PARTITIONS, "both have partitions")
        for name in names:
            alerts.destination(name)
            alerts.failing(name)
        alerts.emails(len(names))
        until(lambda: len(alerts.told()) == len(names), "all are told of")
    assert sorted(to for recipients in alerts.mailbox.recipients for to in recipients) == sorted(
        f"{name}@example.com" for name in names
    )


def test_what_was_warned_of_in_vain_is_paused(alerts: Alerts) -> None:
    begun = now() - 9 * DAY_MS
    alerts.destination("dst_1", number=7)
    alerts.failing("dst_1", letters=0, failing_since=begun, last_dead_letter=None)
    warned = Alerted(
        destination="dst_1", at=now() - DAY_MS, number=2, warnings=2, warned_at=now() - 2 * DAY_MS, failing_from=begun
    )
    alerts.append(alerts.topics.alerts, "dst_1", encode(warned))
    with alerts.worker():
        (subject,) = alerts.emails(1)
    assert "Paused: dst_1" in subject
    verdict = alerts.revision("dst_1")
    assert (verdict.number, verdict.paused, verdict.because, verdict.nonce[0]) == (8, True, "failing", "-")
    assert verdict.url.endswith("SECRET")


def test_dead_letters_about_to_expire_and_plans_are_told_of(alerts: Alerts) -> None:
    alerts.destination("dst_1")
    letter = DeadLetter(topic="t", partition=0, offset=1, at=1, reason="x", detail="", destination="dst_1")
    alerts.append(alerts.topics.dead_letters, "batch-1", encode(letter), timestamp=now() - 24 * DAY_MS)
    of_plan: dict[str, Any] = {"plan": "free", "entitled": False, "owners": ["ada@example.com"], "since": now()}
    said = Workspace(workspace="ws_2", number=1, nonce="0", changed_at=now(), **of_plan)
    alerts.append(alerts.topics.workspaces, "ws_2", encode(said))
    alerts.destination("dst_2", workspace="ws_2", entitled=False)
    with alerts.worker():
        expiring, stopped = sorted(alerts.emails(2))
    assert "Events expire in 5 d 23 h: dst_1" in expiring
    assert "Stopped: dst_2, the plan free does not forward audit events" in stopped
    assert ["dst_2@example.com", "ada@example.com"] in alerts.mailbox.recipients


def test_a_wrong_password_ends_it_with_one_sentence(alerts: Alerts) -> None:
    with alerts.worker(AUDITCAST_SMTP_PASSWORD="battery-staple") as worker:
        until(lambda: worker.code is not None, "the end of the worker")
        assert worker.code == 1
    last = alerts.log().splitlines()[-1]
    assert last.startswith("auditcast: the mail server 127.0.0.1:")
    assert last.endswith("refuses the login: check AUDITCAST_SMTP_USERNAME and AUDITCAST_SMTP_PASSWORD")
    assert "battery" not in alerts.log()


def _shares(log: str) -> int:
    """How many partitions all workers have, if each has some, by the last that each said."""
    counts = []
    for part in log.split("alerts.started")[1:]:
        said = [line.rpartition("=")[2] for line in part.splitlines() if "partitions.assigned" in line]
        counts.append(0 if not said or said[-1] == "-" else len(said[-1].strip('"').split(",")))
    return sum(counts) if len(counts) > 1 and all(counts) else 0
