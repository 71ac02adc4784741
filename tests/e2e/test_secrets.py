"""Nobody's secret comes out anywhere: one run of everything, then a search of all that it wrote.

What may be where: secrets in no place but the receivers' requests (the topics hold them sealed); the destination's URL,
whose query may hold a token, in `audit.destinations` and where people are shown a destination; what events say in the
topics that carry events, and where people ask for them.
"""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, quote_plus

import pytest
import trustme
from confluent_kafka import OFFSET_BEGINNING, TopicPartition
from msgspec import Struct

from auditcast.console import __main__ as umbrella
from auditcast.console.demo.workers import Worker
from auditcast.kafka import clients
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, Secret, variable
from auditcast.kafka.topics import create
from auditcast.kafka.views import read_compacted
from auditcast.schemas.records import DeadLetter
from auditcast.schemas.sealing import new_key
from auditcast.schemas.wire import decode_as
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import PATIENCE_S, until
from tests.guarded import PASSWORD, GuardedBroker
from tests.hostile import BEHAVIOURS, Hostile, Peer

CONTENT = "what-7h1s-event-says"
URL_TOKEN = "url-t0ken-q1w2e3"
USERINFO = "user1nfo-p4ssword"
HEADERS = {"argument": "hdr/4rgument+a1s2", "environment": 'hdr/env1ronment="&<d3f4', "file": "hdr/f1le+g5h6"}
PASSWORDS = {"smtp": "smtp-p4ss/word+z1x2", "proxy": "proxy-p4ss/word+c3v4", "sasl": "sasl-p4ss/word+b5n6"}
CREDENTIALS = ("authorization", "x-environment", "x-file")
STATUSES = ("200", "308", "410", "500")
CARRY_EVENTS = ("events", "batches", "parked", "dead_letters")


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


async def _mirror(peer: Peer) -> None:
    """Answers as the path says, and with all that it got, in every form."""
    request = peer.server.requests[-1]
    status = request.path.partition("?")[0].rpartition("/")[2]
    forms = []
    for told in (request.path, *(value for name, value in request.headers.items() if name in CREDENTIALS)):
        packed = (base64.b64encode(f"{before}{told}".encode()).decode() for before in ("", "?", "by"))
        forms += [told, json.dumps(told), quote(told, safe=""), quote_plus(told), told.encode().hex(), *packed]
    body = "\n".join(forms).encode()
    await peer.send(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)


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


@pytest.fixture
def surroundings(
    broker: Broker, ca: trustme.CA, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Iterator[Surroundings]:
    """On the Apache lane behind TLS and a login."""
    guarded = GuardedBroker(ca, tmp_path) if isinstance(broker, ApacheBroker) else None
    try:
        connection = (guarded.start() if guarded else broker).connection(f"test-{token_hex(4)}")
        create(connection, PARTITIONS)
        made = Surroundings(connection, ca, tmp_path, capfd, broker_time=broker.broker_time)
        yield made
        made.kill()
    finally:
        if guarded:
            guarded.stop()


@pytest.fixture
def receiver(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    for status in STATUSES:
        monkeypatch.setitem(BEHAVIOURS, f"/mirror/{status}", _mirror)
    with Hostile(ca) as server:
        yield server


def test_no_secret_comes_out(surroundings: Surroundings, receiver: Hostile, tmp_path: Path) -> None:
    run = surroundings
    for kind in ("processor", "deliverer"):
        run.worker(kind)
    secrets = _destinations(run, receiver, tmp_path)
    _events(run, tmp_path)
    until(lambda: _reasons(run) >= {"status-500", "status-410"}, "the dead letters")
    _looks(run)
    _slips(run)
    run.end()

    sent = Written("requests", "".join(f"{each.path} {each.headers}" for each in receiver.requests).encode())
    assert all(sent.holds(secret.encode()) for secret in (URL_TOKEN, *HEADERS.values()))  # there, they can be found

    passwords = [*PASSWORDS.values(), *([PASSWORD] if run.connection.sasl_password else [])]
    texts = [*secrets, *run.keys, *HEADERS.values(), *passwords, USERINFO]
    hidden = [text.encode() for text in texts]
    hidden += [base64.b64decode(secret.removeprefix("whsec_")) for secret in secrets]
    hidden += [base64.urlsafe_b64decode(key) for key in run.keys]
    _search(run, hidden)


def _destinations(run: Surroundings, receiver: Hostile, folder: Path) -> list[str]:
    """Some destinations; their secrets."""
    (folder / "headers").write_text(f"X-File: {HEADERS['file']}\n")
    headers = (
        *("--header", f"Authorization: Bearer {HEADERS['argument']}"),
        *("--header-from-env", "X-Environment=TOKEN", "--header-file", str(folder / "headers")),
    )
    secrets = []
    for status in STATUSES:
        url = receiver.url(f"/mirror/{status}?token={URL_TOKEN}")
        options = ("--workspace", "ws_1", "--url", url, "--id", f"dst_{status}", "--window-seconds", "1", "--json")
        added = run.command("destinations", "add", *options, *headers, hide=False, TOKEN=HEADERS["environment"])
        secrets.append(json.loads(added)["secret"])
    return secrets


def _events(run: Surroundings, folder: Path) -> None:
    """Good ones, and one that nobody can read."""
    event = {"workspace": "ws_1", "category": "lock", "action": "created", "actor": {"id": "u", "type": "user"}}
    line = json.dumps(event | {"description": CONTENT, "metadata": {"note": CONTENT}})
    (folder / "events").write_text(f"{line}\n" * 3)
    producer = clients.producer(run.connection)

    def emitted() -> bool:
        """Again and again: what comes before the destinations are in force is not for them."""
        run.command("emit", str(folder / "events"))
        return len(_reasons(run)) > 0

    until(emitted, "the first dead letter")
    for broken in (f'{{"specversion":"1.0","id":"{CONTENT}"', f'{{"id":"{CONTENT}","id":"{CONTENT}"}}', CONTENT):
        producer.produce(run.topics.events, broken.encode(), b"ws_1")
    assert producer.flush(PATIENCE_S) == 0


def _reasons(run: Surroundings) -> set[str]:
    return {letter.reason for letter in run.letters()}


def _looks(run: Surroundings) -> None:
    """What people look at."""
    for form in ([], ["--json"]):
        run.command("destinations", "list", *form)
        run.command("destinations", "show", "dst_500", *form)
        run.command("destinations", "test", "dst_500", *form, code=1)
        run.command("settings", *form)
    run.command("topics", "check")
    run.command("keys", "new", hide=False)


def _slips(run: Surroundings) -> None:
    """What people get wrong, with a secret in a place where it does not belong."""
    add = ("destinations", "add", "--workspace", "ws_1")
    url = ("--url", "https://siem.example.com/")
    key, header = run.keys[0], HEADERS["argument"]
    for place in (f"user:{USERINFO}@siem.example.com", f"{USERINFO}@siem.example.com", f"user:{USERINFO}@[::1"):
        run.command(*add, "--url", f"https://{place}/", code=1)
    for wrong in (
        ("--header", header),
        ("--header", f"{header}: x"),
        ("--header", f"X-A: {header}\r\nX-B: y"),
        ("--header", f"Host: {header}"),
        ("--header-from-env", header),
        ("--header-from-env", f"X-A={header}"),
    ):
        run.command(*add, *url, *wrong, code=1)
    run.command("destinations", "edit", "dst_200", "--header", header, code=1)
    run.command(*add, *url, code=1, AUDITCAST_SEALING_KEYS=key[:-3])
    run.refused("processor", AUDITCAST_SEALING_KEYS=f"{key},{key[:-3]}")
    run.refused("deliverer", AUDITCAST_SEALING_KEYS=f"{key};{run.keys[1]}")
    run.refused("deliverer", AUDITCAST_EGRESS_PROXY=f"http://user:{PASSWORDS['proxy']}@127.0.0.1:1")
    run.refused("deliverer", AUDITCAST_EGRESS_PROXY_LOGIN=PASSWORDS["proxy"])
    if not run.connection.sasl_password:
        run.command("destinations", "list", code=1, AUDITCAST_SASL_PASSWORD=PASSWORDS["sasl"])


def _search(run: Surroundings, hidden: list[bytes]) -> None:
    """Raise, saying where which secret came out."""
    carry = {getattr(run.topics, name) for name in CARRY_EVENTS} | set(run.topics.retries)
    content, token = CONTENT.encode(), URL_TOKEN.encode()
    logs = run.logged()
    assert logs[run.topics.events].holds(content)
    assert logs[run.topics.batches].holds(content)
    assert logs[run.topics.destinations].holds(token)

    out = []
    for written in (*run.written, *logs.values()):
        out += [f"{secret!r} in {written.where}" for secret in hidden if written.holds(secret)]
        shows_url = written.where == run.topics.destinations or " destinations " in written.where
        if written.holds(token) and not shows_url:
            out.append(f"the URL's token in {written.where}")
        if written.holds(content) and written.where not in carry:
            out.append(f"an event in {written.where}")
    assert not out, "\n".join(out)


def _all(topics: Topics) -> Iterator[str]:
    for name in dir(Topics):
        value = getattr(topics, name)
        if isinstance(getattr(Topics, name), property) and not name.endswith("_group"):
            yield from value if isinstance(value, tuple) else [value]
