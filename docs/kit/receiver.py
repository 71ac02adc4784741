"""A receiver of one's own: checks deliveries, keeps each once, as a line of JSON that `auditcast verify` reads.

WEBHOOK_SECRET=whsec_… python receiver.py HOST PORT CERTIFICATE KEY FILE. Python 3.9 or newer, and check.py beside it.
"""

import base64
import json
import os
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from check import Arrivals, Refused, check

host, port, certificate, key, file = sys.argv[1:]
secrets = os.environ["WEBHOOK_SECRET"].split()  # two, with a space between, if you rotate it yourself
arrivals, lock = Arrivals(), threading.Lock()
kept = Path(file).open("ab+")
kept.seek(0)
whole = kept.read().rpartition(b"\n")
kept.truncate(len(whole[0] + whole[1]))  # a line that a crash cut off was never acknowledged
for line in whole[0].splitlines():
    arrivals.take(json.loads(line)["headers"])


class Receiver(BaseHTTPRequestHandler):
    timeout = 30  # seconds

    def do_POST(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(min(int(headers.get("content-length", 0)), 2_000_000))
        try:
            check(headers, body, secrets=secrets)
        except Refused as refused:
            self.answer(401, str(refused))
            return
        with lock:
            if not arrivals.has(headers):
                keep(headers, body)
            news = arrivals.take(headers)
        if news == "conflict":
            print(f"ALARM: {headers['webhook-id']} contradicts what came before", file=sys.stderr)
        self.answer(200, news)

    def answer(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def keep(headers, body):
    """Return once it is on the disk: a 2xx says that it never needs to be sent again."""
    known = ("content-", "webhook-", "x-audit-", "x-webhook-")  # and none of your own, which may be credentials
    line = {"headers": {name: value for name, value in headers.items() if name.startswith(known)}}
    try:
        line["body"] = body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(body).decode()
    kept.write(json.dumps(line).encode() + b"\n")
    kept.flush()
    os.fsync(kept.fileno())


server = ThreadingHTTPServer((host, int(port)), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(f"https://{host}:{server.server_port} keeps deliveries in {file}", flush=True)
server.serve_forever()
