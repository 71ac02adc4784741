"""A run of everything whose every written byte is kept, and a search in that for what must not be there."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import trustme
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from msgspec import Struct

from auditcast.console import __main__ as umbrella
from auditcast.console.demo.workers import Worker
from auditcast.kafka import clients
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, Secret, variable
from auditcast.kafka.views import read_compacted
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.sealing import new_key
from auditcast.schemas.wire import decode_as
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import PATIENCE_S, until


class Written(Struct, frozen=True):
    """Bytes that came out somewhere."""

    where: str
    data: bytes

    def holds(self, secret: bytes) -> bool:
        """Whether `secret` is in it, as it is or as something that can be turned back."""
        return any(form in self.data for form in _forms(secret))


def _forms(secret: bytes) -> set[bytes]:
    forms = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for before in range(3):
        # The letters in the middle, which do not depend on what stands around the secret.
        inner = base64.b64encode(bytes(before) + secret).decode().rstrip("=")[4 if before else 0 : -1]
        forms |= {inner.encode(), inner.replace("+", "-").replace("/", "_").encode()}
    try:
        text = secret.decode()
    except UnicodeDecodeError:
        return forms
    escaped = json.dumps(text)[1:-1]
    for form in (escaped, escaped.replace("/", "\\/"), quote(text), quote(text, safe=""), quote_plus(text)):
        forms.add(form.encode())
    return forms


class Surroundings:
    """Runs commands and workers, and keeps all that they write."""

    def __init__(
        self,
        connection: Connection,
        ca: trustme.CA,
        folder: Path,
        capfd: pytest.CaptureFixture[str],
        *,
        broker_time: bool,
    ) -> None:
        self.connection = connection
        self._capfd = capfd
        self.topics = Topics(connection.topic_prefix)
        self.keys = [new_key(), new_key()]
        self.written: list[Written] = []
        self._folder = folder
        self._workers: list[Worker] = []
        ca.cert_pem.write_to_path(folder / "ca.pem")
        self.environ = self._settings() | {
            "AUDITCAST_SEALING_KEYS": ",".join(self.keys),
            "AUDITCAST_ALLOWED_NETWORKS": "127.0.0.0/8",
            "AUDITCAST_DELIVERY_CA_FILE": str(folder / "ca.pem"),
            "AUDITCAST_TIMESTAMPS": "broker" if broker_time else "producer",
            "AUDITCAST_RETRY_DELAYS_MS": "100,100,100,100,100",
            "AUDITCAST_PROBE_MS": "200",
            "AUDITCAST_LOG_LEVEL": "DEBUG",
        }

    def command(self, *args: str, code: int = 0, hide: bool = True, **environ: str) -> str:
        """Run `auditcast …` here; what it printed. Unless `hide`, its output is the place for secrets."""
        self._capfd.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["auditcast", *args])
            for name, value in (self.environ | environ).items():
                patch.setenv(name, value)
            with pytest.raises(SystemExit) as ended:
                umbrella.main()
        out, err = self._capfd.readouterr()
        assert ended.value.code == code, (args, out, err)
        self._keep(" ".join(args), out if hide else "", err)
        return out

    def refused(self, kind: str, **environ: str) -> None:
        """Start `auditcast KIND`, which ends by itself with a sentence."""
        ended = subprocess.run(  # noqa: S603  (our own program)
            [sys.executable, "-m", "auditcast.console", kind],
            env=os.environ | self.environ | environ,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert ended.returncode == 1, ended
        self._keep(kind, ended.stdout, ended.stderr)

    def _keep(self, line: str, out: str, err: str) -> None:
        assert "Traceback" not in err
        self.written += [Written(f"the output of {line}", out.encode()), Written(f"the errors of {line}", err.encode())]

    def worker(self, kind: str) -> None:
        """Start `auditcast KIND`."""
        self._workers.append(Worker(kind, kind, os.environ | self.environ, self._folder / f"{kind}.log"))

    def end(self) -> None:
        """End the workers, and keep their logs."""
        for worker in self._workers:
            worker.terminate()
        until(lambda: None not in {worker.code for worker in self._workers}, "the end of the workers")
        self.written += [Written(f"the log of the {each.kind}", each.log.read_bytes()) for each in self._workers]
        assert {worker.code for worker in self._workers} == {0}

    def kill(self) -> None:
        """End what still runs."""
        for worker in self._workers:
            if worker.code is None:
                os.kill(worker.pid, signal.SIGKILL)

    def letters(self) -> list[DeadLetter]:
        """What is owed."""
        topic = self.topics.dead_letters
        found = [read_compacted(self.connection, topic, number, PATIENCE_S) for number in range(PARTITIONS)]
        return [decode_as(DeadLetter, value) for partition in found for value in partition.values()]

    def logged(self) -> dict[str, Written]:
        """Keys, headers and values of all that was ever written to each topic, and not compacted yet."""
        found: dict[str, list[bytes]] = {topic: [] for topic in _all(self.topics)}
        places = [TopicPartition(topic, number, OFFSET_BEGINNING) for topic in found for number in range(PARTITIONS)]
        reader = clients.reader(self.connection)
        reader.assign(places)
        ended: set[tuple[str | None, int | None]] = set()
        while len(ended) < len(places):
            message = reader.poll(PATIENCE_S)
            assert message is not None
            if message.error():
                ended.add((message.topic(), message.partition()))
                continue
            headers = [value for value in dict(message.headers() or []).values() if isinstance(value, bytes)]
            found[str(message.topic())] += [message.key() or b"", message.value() or b"", *headers]
        reader.close()
        return {topic: Written(topic, b"\n".join(parts)) for topic, parts in found.items()}

    def _settings(self) -> dict[str, str]:
        found = {}
        for name in self.connection.__struct_fields__:
            value = getattr(self.connection, name)
            found[variable(name)] = value.reveal() if isinstance(value, Secret) else str(value)
        return found


def _all(topics: Topics) -> Iterator[str]:
    for name in dir(Topics):
        value = getattr(topics, name)
        if isinstance(getattr(Topics, name), property) and not name.endswith("_group"):
            yield from value if isinstance(value, tuple) else [value]
