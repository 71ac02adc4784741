"""Apache Kafka from Maven Central on Java: one node or a small cluster, each with broker and controller (KRaft)."""

import base64
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from msgspec import Struct

from auditcast.kafka.local import jars
from auditcast.kafka.local.broker import Broker, LocalBrokerFailed
from auditcast.kafka.local.process import Child, free_ports

HEAP = "-Xmx1g"
MAX_MESSAGE_BYTES = 3_000_000


class Detour(Struct, frozen=True):
    """A further listener of one node: clients are sent to the port `advertised`, the node listens on `real`."""

    advertised: int
    real: int


class ApacheBroker(Broker):
    """Apache Kafka on free ports of 127.0.0.1, its data in a temporary folder that goes when it is stopped.

    `nodes` make a cluster, to kill and restart single ones of; `libraries` is a folder with Kafka's jars, fetched
    with Maven where none is given; `properties` are added to each node's `server.properties`. Each of the `detours`
    reaches the whole cluster by ports on which somebody else must listen and pass on, and so can cut off who comes.
    """

    def __init__(
        self,
        nodes: int = 1,
        libraries: Path | None = None,
        properties: Mapping[str, str] | None = None,
        detours: int = 0,
    ) -> None:
        super().__init__()
        self.detours: list[list[Detour]] = []
        self._count = nodes
        self._detours = detours
        self._libraries = libraries
        self._properties = dict(properties or {})
        self._folder = tempfile.TemporaryDirectory(prefix="auditcast-kafka-", ignore_cleanup_errors=True)
        self._nodes: list[Child] = []
        self._addresses: list[str] = []

    @property
    def pids(self) -> list[int]:
        """The nodes' process ids; 0 for one that does not run."""
        return [node.pid for node in self._nodes]

    def start(self) -> Self:
        """Start all nodes; raises `LocalBrokerFailed` with the end of a failed node's output."""
        java, libraries = jars.java(), self._libraries or jars.fetched()
        brokers, controllers, *ports = _rows(free_ports((2 + 2 * self._detours) * self._count), self._count)
        self.detours = [
            [Detour(*pair) for pair in zip(advertised, real, strict=True)]
            for advertised, real in zip(ports[::2], ports[1::2], strict=True)
        ]
        self._addresses = [f"127.0.0.1:{port}" for port in brokers]
        self.bootstrap = ",".join(self._addresses)
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        try:
            for number in range(self._count):
                folder = Path(self._folder.name) / f"node-{number}"
                self._write_settings(number, brokers[number], controllers, folder)
                _format_storage(folder, cluster, java, libraries)
                command = [java, "-cp", f"{libraries}/*", HEAP, "kafka.Kafka", "server.properties"]
                self._nodes.append(Child(f"Apache Kafka's node {number}", command, folder))
            for node in self._nodes:
                node.start()
            self._await_all()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End all nodes and remove their data."""
        # Nobody will read this data again: no reason to wait for a controlled shutdown.
        for node in self._nodes:
            node.kill()
        self._nodes.clear()
        self._folder.cleanup()

    def check(self) -> None:
        """Raise `LocalBrokerFailed` if a node has ended by itself."""
        for node in self._nodes:
            node.check()

    def kill(self, node: int = 0) -> None:
        """End a node at once, as a crash would."""
        self._nodes[node].kill()

    def terminate(self, node: int = 0) -> None:
        """End a node as an operator would: controlled, its partitions led by others first."""
        self._nodes[node].terminate()

    def restart(self, node: int = 0) -> None:
        """Start a node that was ended, with its data and on its port; returns once all that run answer."""
        self._nodes[node].start()
        self._await_all()

    def suspend(self, node: int = 0) -> None:
        """Stop a node in its tracks, as a stalled machine does."""
        self._nodes[node].signal(signal.SIGSTOP)

    def resume(self, node: int = 0) -> None:
        """Let a suspended node go on."""
        self._nodes[node].signal(signal.SIGCONT)

    def _await_all(self) -> None:
        running = [address for address, node in zip(self._addresses, self._nodes, strict=True) if node.pid]
        for address in running:
            self._await_answer(address, len(running))

    def _write_settings(self, number: int, port: int, controllers: list[int], folder: Path) -> None:
        replication = min(3, self._count)
        detours = {f"DETOUR{n}": nodes[number] for n, nodes in enumerate(self.detours)}
        listeners = {"CLIENTS": port, "CONTROLLER": controllers[number]}
        listeners |= {name: detour.real for name, detour in detours.items()}
        advertised = {"CLIENTS": port} | {name: detour.advertised for name, detour in detours.items()}
        settings = {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.quorum.voters": ",".join(f"{n}@127.0.0.1:{p}" for n, p in enumerate(controllers)),
            "controller.listener.names": "CONTROLLER",
            "listeners": _addresses(listeners),
            "advertised.listeners": _addresses(advertised),
            "inter.broker.listener.name": "CLIENTS",
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
            **{f"listener.name.{name.lower()}.num.network.threads": 1 for name in detours},
            "log.dirs": folder / "data",
            "auto.create.topics.enable": "false",
            "group.initial.rebalance.delay.ms": 0,
            # A node that was killed may come back only once its session has ended: 9 s by default.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.num.partitions": 4,
            "offsets.topic.replication.factor": replication,
            "transaction.state.log.replication.factor": replication,
            "transaction.state.log.min.isr": max(1, replication - 1),
            "share.coordinator.state.topic.replication.factor": replication,
            "share.coordinator.state.topic.min.isr": max(1, replication - 1),
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        }
        folder.mkdir()
        lines = (f"{name}={value}\n" for name, value in (settings | self._properties).items())
        (folder / "server.properties").write_text("".join(lines))


def _rows(ports: list[int], width: int) -> list[list[int]]:
    return [ports[start : start + width] for start in range(0, len(ports), width)]


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


def _format_storage(folder: Path, cluster: str, java: str, libraries: Path) -> None:
    quick = "-XX:TieredStopAtLevel=1"
    # With "=", since the id may begin with a dash.
    tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config=server.properties"]
    run = subprocess.run(  # noqa: S603  (a command of our own)
        [java, "-cp", f"{libraries}/*", quick, *tool], cwd=folder, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise LocalBrokerFailed(f"Apache Kafka's storage could not be prepared:\n{run.stdout}{run.stderr}")
