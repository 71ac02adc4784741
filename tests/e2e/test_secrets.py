"""Nobody's secret comes out anywhere: one run of everything, then a search of all that it wrote.

What may be where: secrets in no place but the receivers' requests (the topics hold them sealed); the destination's URL,
whose query may hold a token, in `audit.destinations` and where people are shown a destination; what events say in the
topics that carry events, and where people ask for them.
"""

import base64
import json
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from secrets import token_hex
from urllib.parse import quote, quote_plus

import pytest
import trustme

from auditcast.kafka import clients
from auditcast.kafka.local import ApacheBroker, Broker
from auditcast.kafka.topics import create
from auditcast.schemas.sealing import new_key
from tests import guarded, mailbox
from tests.conftest import PARTITIONS
from tests.e2e.deliveries import PATIENCE_S, until
from tests.e2e.search import Surroundings, Written
from tests.hostile import BEHAVIOURS, Hostile, Peer
from tests.tunnels import Proxy

CONTENT = "what-7h1s-event-says"
URL_TOKEN = "url-t0ken-q1w2e3"
USERINFO = "user1nfo-p4ssword"
HEADERS = {"argument": "hdr/4rgument+a1s2", "environment": 'hdr/env1ronment="&<d3f4', "file": "hdr/f1le+g5h6"}
PROXY_PASSWORD = "proxy/p4ssword+c3v4"
MISLAID = "m1slaid/p4ss+word-z1x2"
"""A password in a setting where it does not belong, or that is wrong."""

CREDENTIALS = ("authorization", "x-environment", "x-file")
STATUSES = ("200", "308", "410", "500")
CARRY_EVENTS = ("events", "batches", "parked", "dead_letters")


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


@pytest.fixture
def run(broker: Broker, ca: trustme.CA, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Surroundings]:
    """On the Apache lane behind TLS and a login."""
    behind = guarded.GuardedBroker(ca, tmp_path) if isinstance(broker, ApacheBroker) else None
    try:
        connection = (behind.start() if behind else broker).connection(f"test-{token_hex(4)}")
        create(connection, PARTITIONS)
        made = Surroundings(connection, ca, tmp_path, capfd, broker_time=broker.broker_time)
        yield made
        made.kill()
    finally:
        if behind:
            behind.stop()


@pytest.fixture
def receiver(ca: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    for status in STATUSES:
        monkeypatch.setitem(BEHAVIOURS, f"/mirror/{status}", _mirror)
    with Hostile(ca) as server:
        yield server


@pytest.fixture
def mails(ca: trustme.CA) -> Iterator[mailbox.Mailbox]:
    with mailbox.Mailbox(ca) as server:
        yield server


@pytest.fixture
def proxy() -> Iterator[str]:
    """All deliveries go through it."""
    made = Proxy()
    with made.in_a_thread() as url:
        yield url
    login = base64.b64encode(f"auditcast:{PROXY_PASSWORD}".encode()).decode()
    assert made.asked
    assert all(f": Basic {login}\r\n" in head for head in made.asked)


def test_no_secret_comes_out(
    run: Surroundings, receiver: Hostile, mails: mailbox.Mailbox, proxy: str, tmp_path: Path
) -> None:
    run.environ |= mails.environ(str(tmp_path / "ca.pem")) | {"AUDITCAST_ALERT_TO": "owner@example.com"}
    run.environ |= {"AUDITCAST_EGRESS_PROXY": proxy, "AUDITCAST_EGRESS_PROXY_LOGIN": f"auditcast:{PROXY_PASSWORD}"}
    for kind in ("processor", "deliverer", "alerts"):
        run.worker(kind)
    secrets = _destinations(run, receiver, tmp_path)
    event = _events(run, tmp_path)
    until(lambda: {"status-500", "status-410", "redirected"} <= _reasons(run), "the dead letters")
    until(lambda: len({email["Subject"] for email in mails.emails}) >= 3, "the emails")
    _looks(run, event)
    _slips(run)
    _acts(run)
    run.end()

    sent = Written("requests", "".join(f"{each.path} {each.headers}" for each in receiver.requests).encode())
    assert all(sent.holds(secret.encode()) for secret in (URL_TOKEN, *HEADERS.values()))  # there, they can be found
    run.written += [Written(f"the email {email['Subject']}", _readable(email)) for email in mails.emails]
    texts = [*secrets, *run.keys, *HEADERS.values(), USERINFO, MISLAID, mailbox.PASSWORD, PROXY_PASSWORD]
    if run.connection.sasl_password:
        texts.append(guarded.PASSWORD)
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


def _events(run: Surroundings, folder: Path) -> str:
    """Good ones, and some that nobody can read; the id of one."""
    event = {"workspace": "ws_1", "category": "lock", "action": "created", "actor": {"id": "u", "type": "user"}}
    line = json.dumps(event | {"description": CONTENT, "metadata": {"note": CONTENT}})
    (folder / "events").write_text(f"{line}\n" * 3)
    producer = clients.producer(run.connection)
    ids: list[str] = []

    def emitted() -> bool:
        """Again and again: what comes before the destinations are in force is not for them."""
        ids.extend(run.command("emit", "--ids", str(folder / "events")).split())
        return len(_reasons(run)) > 0

    until(emitted, "the first dead letter")
    for broken in (f'{{"specversion":"1.0","id":"{CONTENT}"', f'{{"id":"{CONTENT}","id":"{CONTENT}"}}', CONTENT):
        producer.produce(run.topics.events, broken.encode(), b"ws_1")
    assert producer.flush(PATIENCE_S) == 0
    return ids[-1]


def _reasons(run: Surroundings) -> set[str]:
    return {letter.reason for letter in run.letters()}


def _looks(run: Surroundings, event: str) -> None:
    """What people look at; dead letters and events they see on purpose."""
    for form in ([], ["--json"]):
        run.command("destinations", "list", *form)
        run.command("destinations", "show", "dst_500", *form)
        run.command("destinations", "test", "dst_500", *form, code=1)
        run.command("dead-letters", "list", *form)
        run.command("dead-letters", "list", "--each", *form)
        run.command("trace", event, *form)
        run.command("settings", *form)
    for letter in json.loads(run.command("dead-letters", "list", "--each", "--json")):
        for form in ([], ["--json"]):
            run.command("dead-letters", "show", letter["key"], *form)
    run.command("topics", "check")


def _acts(run: Surroundings) -> None:
    """What people do; last, since no worker knows the new key."""
    run.command("dead-letters", "replay", "--destination", "dst_500", "--yes", code=1)
    run.command("dead-letters", "resolve", "--all", "--because", "a test", "--yes", "--json")
    run.command("replay", "--destination", "dst_200", "--sequence", "1", "--yes")
    for what in ("pause", "resume", "disable", "enable"):
        run.command("destinations", what, "dst_200", "--json")
    run.command("destinations", "delete", "dst_308", "--yes")
    run.keys.append(run.command("keys", "new", hide=False).strip())
    newest_first = ",".join(reversed(run.keys))
    for form in ([], ["--json"]):
        run.command("keys", "rotate", *form, AUDITCAST_SEALING_KEYS=newest_first)
    run.command("keys", "rotate", code=1, AUDITCAST_SEALING_KEYS=new_key())


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
    run.refused("deliverer", AUDITCAST_EGRESS_PROXY=f"http://user:{MISLAID}@127.0.0.1:1")
    run.refused("deliverer", AUDITCAST_EGRESS_PROXY_LOGIN=MISLAID)
    run.refused("deliverer", AUDITCAST_EGRESS_PROXY="")
    run.refused("alerts", AUDITCAST_SMTP_PASSWORD=MISLAID)
    run.refused("alerts", AUDITCAST_SMTP_USERNAME="")
    run.command("settings", AUDITCAST_SEALING_KEY=key, AUDITCAST_SMTP_PASS=MISLAID)  # misspelled
    run.command("dead-letters", "show", "no-such-letter", code=1)
    run.command("trace", "no-such-event", code=1)
    if not run.connection.sasl_password:
        run.command("destinations", "list", code=1, AUDITCAST_SASL_PASSWORD=MISLAID)


def _readable(email: EmailMessage) -> bytes:
    """As it travels, and as people read it."""
    parts = [part.get_content() for part in email.walk() if not part.is_multipart()]
    return b"\n".join((email.as_bytes(), *(part.encode() for part in parts)))


def _search(run: Surroundings, hidden: list[bytes]) -> None:
    """Raise, saying where which secret came out."""
    logs = run.logged()
    carry = {getattr(run.topics, name) for name in CARRY_EVENTS} | set(run.topics.retries)
    content, token = CONTENT.encode(), URL_TOKEN.encode()
    assert logs[run.topics.events].holds(content)
    assert logs[run.topics.batches].holds(content)
    assert logs[run.topics.destinations].holds(token)
    out = []
    for written in (*run.written, *logs.values()):
        out += [f"{secret!r} in {written.where}" for secret in hidden if written.holds(secret)]
        shows_url = written.where == run.topics.destinations or " of destinations " in written.where
        if written.holds(token) and not shows_url:
            out.append(f"the URL's token in {written.where}")
        if written.holds(content) and written.where not in carry and "dead-letters show" not in written.where:
            out.append(f"an event in {written.where}")
    assert not out, "\n".join(out)
