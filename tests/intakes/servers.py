"""Loki and OpenSearch on free ports of 127.0.0.1, with TLS in front of them, and a courier that delivers to them."""

import asyncio
import base64
import contextlib
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from ipaddress import ip_network
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory

import httpx
import trustme
from msgspec.structs import replace

from auditcast.deliverers.attempts import Sender
from auditcast.deliverers.connections import Connections
from auditcast.deliverers.courier import Courier
from auditcast.deliverers.destinations import Destinations
from auditcast.deliverers.guard import Guard
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.outcomes import Piece
from auditcast.deliverers.transport import Limits, Transport
from auditcast.kafka.local.process import Child, free_ports
from auditcast.schemas.chain import body_digest
from auditcast.schemas.records import Batch, Delivery, Option, Revision, SealedHeader
from auditcast.schemas.sealing import Sealer, new_key
from auditcast.schemas.signing_keys import Signer, new_signing_key
from auditcast.schemas.wire import encode
from tests.bodies import joined, place
from tests.intakes import installed
from tests.unit.deliverers.parcels import batch, parcel

READY_WITHIN_S = 180
NOBODY = 65_534
LOOPBACK = (ip_network("127.0.0.0/8"),)
SEALER = Sealer([new_key()])


@contextlib.contextmanager
def loki() -> Iterator[str]:
    """The URL of a Loki whose tenants are those in tenants.yaml, and any other, which may do everything."""
    program = installed.loki()
    http, grpc = free_ports(2)
    with TemporaryDirectory(prefix="auditcast-loki-") as name:
        folder = Path(name)
        given = {"HTTP_PORT": http, "GRPC_PORT": grpc, "FOLDER": folder}
        for file in ("loki.yaml", "tenants.yaml"):
            text = (installed.HERE / "loki" / file).read_text()
            (folder / file).write_text(Template(text).substitute(given) if file == "loki.yaml" else text)
        command = [str(program), f"-config.file={folder}/loki.yaml"]
        with _running(Child("Loki", command, folder), f"http://127.0.0.1:{http}", "/ready") as url:
            yield url


@contextlib.contextmanager
def opensearch() -> Iterator[str]:
    """The URL of an OpenSearch of one node; it refuses to run as root, so it is nobody's."""
    distribution = installed.opensearch()
    http, transport = free_ports(2)
    with TemporaryDirectory(prefix="auditcast-opensearch-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        home = shutil.copytree(distribution, folder / "home")
        (home / "config" / "opensearch.yml").write_text(
            "discovery.type: single-node\nnetwork.host: 127.0.0.1\n"
            "cluster.routing.allocation.disk.threshold_enabled: false\n"
            f"http.port: {http}\ntransport.port: {transport}\npath.data: {folder}/data\npath.logs: {folder}/logs\n"
        )
        system = {
            "java.io.tmpdir": folder,
            "java.security.manager": "allow",
            "opensearch.path.home": home,
            "opensearch.path.conf": home / "config",
            "opensearch.distribution.type": "zip",
            "opensearch.bundled_jdk": "false",
        }
        options = ["-Xms512m", "-Xmx512m", *(f"-D{name}={value}" for name, value in system.items())]
        command = ["java", *options, "-cp", f"{home}/lib/*", "org.opensearch.bootstrap.OpenSearch"]
        child = Child("OpenSearch", [*_as_nobody(folder), *command], folder)
        with _running(child, f"http://127.0.0.1:{http}", "/_cluster/health") as url:
            yield url


def _as_nobody(folder: Path) -> Sequence[str]:
    if os.geteuid():
        return ()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    # Whoever becomes another user loses the wish to die with the parent, so it is said once more.
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig", "KILL")


@contextlib.contextmanager
def _running(child: Child, url: str, ready: str) -> Iterator[str]:
    child.start()
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while not _answers(url + ready):
            child.check()
            if time.monotonic() > deadline:
                raise installed.Missing(f"{child.name} was not ready within {READY_WITHIN_S} s")
            time.sleep(0.5)
        yield url
    finally:
        child.kill()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


class Customer:
    """A destination at one of them, and the courier that delivers to it as a deliverer does."""

    def __init__(self, courier: Courier, values: dict[bytes, bytes], url: str, format_name: str) -> None:
        self._courier = courier
        self._values = values
        self._url = url
        self._format = format_name
        self._number = 0
        self._last = batch()

    async def deliver(
        self,
        events: Sequence[bytes],
        first: int = 1,
        *,
        path: str,
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, str] | None = None,
        gzip: bool = False,
    ) -> list[Piece]:
        """One batch of `events`, numbered from `first` on, to `path`."""
        self._number += 1
        revision = Revision(
            destination="dst_1",
            number=self._number,
            nonce="00",
            state="active",
            changed_at=0,
            url=self._url + path,
            headers=[
                SealedHeader(name, SEALER.seal(f"dst_1/headers/{name.lower()}", value))
                for name, value in (headers or {}).items()
            ],
            secret=SEALER.seal("dst_1/secret", "whsec_" + base64.b64encode(b"k" * 32).decode()),
            epoch="e",
            format=self._format,
            options=[Option(*pair) for pair in (options or {}).items()],
            gzip=gzip,
        )
        self._values[b"dst_1"] = encode(revision)
        body = joined(self._format, events, place(first, sequence=self._number), options)
        self._last = self._batch(body, first, len(events))
        return await self._courier.deliver(parcel(self._last))

    async def repeat(self) -> list[Piece]:
        """The last batch once more, as after an answer that was lost."""
        return await self._courier.deliver(parcel(self._last, delivery=Delivery(replay="run")))

    def _batch(self, body: bytes, first: int, count: int) -> Batch:
        return replace(
            batch(sequence=self._number),
            revision_number=self._number,
            format=self._format,
            first_event=first,
            last_event=first + count - 1,
            body=body,
            body_sha256=body_digest(body),
        )


@contextlib.asynccontextmanager
async def customer(ca: trustme.CA, url: str, format_name: str) -> AsyncIterator[Customer]:
    """A customer of the receiver at `url`, which is reached with TLS."""
    trusting = ssl.create_default_context()
    ca.configure_trust(trusting)
    connections = Connections(lambda: Transport(trusting, Guard(LOOPBACK, 1), Limits(5, 60, 60, 60)), 4)
    sender = Sender(connections, Signer([new_signing_key()]), Metrics(), agent="auditcast/0", origin="")
    values: dict[bytes, bytes] = {}
    async with _tls(ca, httpx.URL(url).port or 0) as port:
        destinations = Destinations(values.get, SEALER, LOOPBACK)
        try:
            yield Customer(Courier(destinations, sender, wait_s=0), values, f"https://127.0.0.1:{port}", format_name)
        finally:
            await connections.close()


@contextlib.asynccontextmanager
async def _tls(ca: trustme.CA, behind: int) -> AsyncIterator[int]:
    """A port at which TLS ends that leads to the port `behind`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(_pump(reader, back), _pump(there, writer))

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()
