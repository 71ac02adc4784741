"""The metrics of a long-running command, over HTTP for Prometheus: `GET /metrics`, and nothing else.

In threads of its own, none of which holds up the command's end. The stages count, each in a registry of its own, and
know nothing of this: a worker is counted the same whether anybody looks or not.
"""

import contextlib
import os
import socket
import threading
from collections import OrderedDict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from socketserver import ThreadingTCPServer

from prometheus_client import CollectorRegistry, Info, ProcessCollector, disable_created_metrics
from prometheus_client.exposition import choose_encoder

from auditcast.console.settings import Metrics
from auditcast.kafka.settings import read, variable
from auditcast.schemas.errors import Misconfigured

PATH = "/metrics"

CLIENT_S = 5.0
"""How long a client may be silent."""

MOST_CLIENTS = 16
"""Connections at a time, each with a thread: beyond that the oldest is closed, so that the worker keeps its own."""

POLL_S = 0.05
"""How often the server looks whether it is to end."""


@contextlib.contextmanager
def shown(registry: CollectorRegistry) -> Iterator[None]:
    """Show what `registry` has, and the process's own memory, CPU time and files, if a port is set for it.

    Raises `Misconfigured` if the port cannot be had.
    """
    settings = read(Metrics, os.environ)
    if not settings.metrics_port:
        yield
        return
    ProcessCollector(registry=registry)
    Info("auditcast_build", "The release of auditcast.", registry=registry).info({"version": version("auditcast")})
    with serving(registry, settings.metrics_host, settings.metrics_port):
        yield


@contextlib.contextmanager
def serving(registry: CollectorRegistry, host: str, port: int) -> Iterator[int]:
    """Answer at `host` and `port` (0: any that is free) and give the port; raises `Misconfigured`."""
    try:
        server = _Server(registry, host, port)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise Misconfigured(
            f"{variable('metrics_port')}: metrics cannot be shown at {host}:{port} ({why}): each worker of a machine"
            f" needs a port of its own, and {variable('metrics_host')} must be an address of that machine"
        ) from None
    # Else there is a second series for each, that only says when the worker was started.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="metrics", daemon=True)
    with server:
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


class _Server(ThreadingTCPServer):
    # Not http.server's own, which asks a name server for its own name, and may wait for long.
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self.registry = registry
        self._clients: OrderedDict[socket.socket, None] = OrderedDict()
        self._lock = threading.Lock()
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        super().__init__((str(address[0]), port), _Request)

    def begin(self, client: socket.socket) -> None:
        """A client has come; if there are too many, the one that takes longest has to go."""
        with self._lock:
            self._clients[client] = None
            oldest = self._clients.popitem(last=False)[0] if len(self._clients) > MOST_CLIENTS else None
        if oldest is not None:
            with contextlib.suppress(OSError):  # it has gone by itself
                oldest.shutdown(socket.SHUT_RDWR)

    def end(self, client: socket.socket) -> None:
        """A client goes."""
        with self._lock:
            self._clients.pop(client, None)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away is nobody's trouble."""


class _Request(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_S

    def setup(self) -> None:
        super().setup()
        self.server.begin(self.connection)

    def finish(self) -> None:
        self.server.end(self.connection)
        super().finish()

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self.send_error(404)
            return
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        body = encode(self.server.registry)
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "auditcast"

    def log_message(self, *_: object) -> None:
        """A scrape is no event."""
