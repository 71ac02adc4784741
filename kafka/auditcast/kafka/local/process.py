"""A child process that dies with this one, its output kept for the error message."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom

from auditcast.kafka.local.broker import LocalBrokerFailed

STOP_TIMEOUT_S = 20
TAIL_LINES = 15
PORTS = range(10_240, 32_000)
"""Below the range from which the system takes the ports of outgoing connections: a client that keeps trying a dead
broker's port in that range ends up connected to itself, and the broker can't have its port back."""

# The kernel's death signal comes when the *thread* that forked ends, so all children are forked by one that never does.
_forker = ThreadPoolExecutor(1, thread_name_prefix="local-broker")


class Child:
    """One child process, started by `command` as often as need be; its output is appended to a file in `folder`."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self._command = [*_dying_with_parent(), *command]
        self._folder = folder
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it; it must not be running."""
        self._process = _forker.submit(self._fork).result()

    def _fork(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (a command of our own)
                self._command,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,  # Ctrl-C on the terminal is for us, who then end it
            )

    def check(self) -> None:
        """Raise `LocalBrokerFailed` if it has ended by itself, with the end of its output."""
        code = self._process.poll() if self._process else None
        if code is not None:
            lines = self._log.read_text(errors="replace").splitlines()
            # The reasons, not Java's way to them.
            telling = [line for line in lines if not line.startswith("\t")]
            raise LocalBrokerFailed("\n".join([f"{self.name} ended with code {code}:", *telling[-TAIL_LINES:]]))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process:
            self._process.send_signal(number)

    def terminate(self) -> None:
        """End it gently, within `STOP_TIMEOUT_S`, then by force."""
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self) -> None:
        """End it at once, as a crash would, also when it is suspended."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 on which nobody listens."""
    ports: list[int] = []
    for port in SystemRandom().sample(PORTS, 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"no {count} free ports on 127.0.0.1")


def _dying_with_parent() -> list[str]:
    """A prefix of a command line that has the kernel kill the command when we die; Linux only, elsewhere nothing."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []
