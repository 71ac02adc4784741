"""`auditcast destinations test` all the way: a deliverer's process, TLS, and a receiver that verifies and echoes."""

import base64
import hmac
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import trustme
from standardwebhooks import Webhook

from auditcast.kafka.local import Broker
from auditcast.kafka.settings import Connection, variable
from auditcast.schemas.sealing import new_key
from auditcast.schemas.signing_keys import Signer, genuine

Received = SimpleQueue[tuple[dict[str, str], bytes]]
TOKEN = "t0ken-of-the-receiver"
PATH = "t0ken-in-the-path"


@pytest.fixture
def receiver(ca: trustme.CA) -> Iterator[tuple[str, Received]]:
    """The URL of an HTTPS receiver on this machine, and what it got; it answers with the headers that came."""
    received: Received = SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.put(({name.lower(): value for name, value in self.headers.items()}, body))
            answer = f"{self.path} {self.headers}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (http.server's name)
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://localhost:{server.server_port}/audit", received
    server.shutdown()
    server.server_close()


@pytest.fixture
def environ(topics: Connection, broker: Broker, ca: trustme.CA, tmp_path: Path) -> dict[str, str]:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return os.environ | {
        variable("bootstrap_servers"): topics.bootstrap_servers,
        variable("topic_prefix"): topics.topic_prefix,
        variable("session_timeout_ms"): str(topics.session_timeout_ms),
        variable("sealing_keys"): new_key(),
        variable("allowed_networks"): "127.0.0.0/8",
        variable("delivery_ca_file"): str(tmp_path / "ca.pem"),
        variable("timestamps"): "broker" if broker.broker_time else "producer",
        "TOKEN": TOKEN,
    }


@pytest.fixture
def deliverer(environ: dict[str, str], tmp_path: Path) -> Iterator[Path]:
    """Runs a deliverer; gives the file with what it logs."""
    log = tmp_path / "deliverer.log"
    with log.open("w") as stream:
        process = subprocess.Popen([sys.executable, "-m", "auditcast.console", "deliverer"], env=environ, stderr=stream)
        yield log
        process.terminate()
        process.wait(20)


def auditcast(environ: dict[str, str], *args: str) -> Any:
    ended = subprocess.run(  # noqa: S603  (our own command)
        [sys.executable, "-m", "auditcast.console", "destinations", *args, "--json"],
        env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_a_test_reaches_the_receiver_signed(
    environ: dict[str, str], deliverer: Path, receiver: tuple[str, Received]
) -> None:
    url, received = receiver
    added = auditcast(
        environ, "add", "--workspace", "ws_1", "--url", f"{url}/{PATH}", "--secret-url", "--header-from-env",
        "X-Token=TOKEN", "--ed25519", "--hash", "actor.id",
    )  # fmt: skip
    id_ = added["destination"]["id"]
    assert f"{added['destination']['url']}/audit" == url
    rotated = auditcast(environ, "rotate-secret", id_)
    result = auditcast(environ, "test", id_)
    assert result["delivered"], (result, deliverer.read_text())
    assert result["status"] == 200

    headers, body = received.get(timeout=10)
    for secret in (added["secret"], rotated["secret"]):
        [event] = Webhook(secret).verify(body, headers)
    assert event["type"] == "pro.atmos.auditcast.test"
    assert event["data"]["actor"]["id"].startswith("hmac-")
    next_digest = hmac.digest(base64.b64decode(rotated["secret"].removeprefix("whsec_")), body, "sha256").hex()
    assert headers["x-webhook-signature-next"] == f"sha256={next_digest}"
    [public] = Signer([], [environ[variable("sealing_keys")]]).public_keys
    [v1a] = [each[4:] for each in headers["webhook-signature"].split() if each.startswith("v1a,")]
    assert genuine(public, f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body, v1a)
    assert (headers["x-webhook-id"], headers["webhook-id"]) == (id_, result["batch"])
    assert headers["x-token"] == TOKEN
    assert not [name for name in headers if name.startswith("x-audit-")]

    # The receiver echoed what it got, and where; what is secret of that must be neither kept nor shown.
    for secret in (TOKEN, PATH):
        assert secret not in json.dumps(result)
        assert secret not in deliverer.read_text()

    auditcast(environ, "edit", id_, "--url", url.replace("localhost", "127.0.0.1"))
    refused = auditcast(environ, "test", id_)
    assert not refused["delivered"]
    assert refused["error"] == "certificate-refused"
    assert refused["advice"].startswith("The certificate of 127.0.0.1:")
