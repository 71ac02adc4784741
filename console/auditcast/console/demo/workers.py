"""Workers as subprocesses: started, killed, stopped and paused by their own pid, never outliving their parent."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from itertools import count
from pathlib import Path

_PR_SET_PDEATHSIG = 1

_TIED = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PR_SET_PDEATHSIG}, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
"""Has the kernel kill this process with its parent, then becomes the worker (`preexec_fn` is unsafe with threads)."""


class State(StrEnum):
    """What a worker is doing, as far as we made it."""

    RUNNING = "running"
    PAUSED = "paused"
    ENDING = "ending"
    ENDED = "ended"


class Worker:
    """One process of `auditcast KIND`; its output goes to `log`."""

    def __init__(self, kind: str, name: str, environ: Mapping[str, str], log: Path) -> None:
        self.kind = kind
        self.name = name
        self.log = log
        self._asked = State.RUNNING
        command = [sys.executable, "-c", _TIED, str(os.getpid()), "-m", "auditcast.console", kind]
        with log.open("ab") as out:
            self._process = subprocess.Popen(  # noqa: S603  (our own program)
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                process_group=0,  # Ctrl-C on the terminal is for us, who then end it
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    @property
    def state(self) -> State:
        """What it is doing."""
        return State.ENDED if self.code is not None else self._asked

    @property
    def failed(self) -> bool:
        """Whether it ended although nobody asked it to."""
        return self.code is not None and self._asked is State.RUNNING

    def kill(self) -> None:
        """SIGKILL: no chance to clean up."""
        self._send(signal.SIGKILL, State.ENDING)

    def terminate(self) -> None:
        """SIGTERM: end in good order."""
        self._send(signal.SIGTERM, State.ENDING)

    def pause(self) -> None:
        """SIGSTOP: stand still in the middle of whatever it does."""
        self._send(signal.SIGSTOP, State.PAUSED)

    def resume(self) -> None:
        """SIGCONT: go on as if no time had passed."""
        if self._asked is State.PAUSED:
            self._send(signal.SIGCONT, State.RUNNING)

    def _send(self, number: int, asked: State) -> None:
        if self.code is None:
            self._asked = asked
            self._process.send_signal(number)

    async def ended(self, within: float) -> bool:
        """Wait for the end, `within` seconds at most; whether it came."""
        try:
            await asyncio.to_thread(self._process.wait, within)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self, lines: int = 3) -> str:
        """The end of its log."""
        return " / ".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Workers:
    """The workers of one run; who starts them calls `end`."""

    def __init__(self, environ: Mapping[str, str], folder: Path, patience: float = 15.0) -> None:
        self.all: list[Worker] = []
        self._environ = environ
        self._folder = folder
        self._patience = patience
        self._numbers = count(1)

    def start(self, kind: str, environ: Mapping[str, str] | None = None) -> Worker:
        """One more `auditcast KIND`, with `environ` beside what all have.

        Call it from the main thread: the kernel ties a child to the thread.
        """
        name = f"{kind}-{next(self._numbers)}"
        worker = Worker(kind, name, {**self._environ, **(environ or {})}, self._folder / f"{name}.log")
        self.all.append(worker)
        return worker

    def alive(self, kind: str) -> list[Worker]:
        """Those of a kind that have not ended and were not asked to."""
        return [worker for worker in self.all if worker.kind == kind and worker.state in {State.RUNNING, State.PAUSED}]

    def failures(self) -> list[str]:
        """A sentence for each worker that ended by itself."""
        return [f"{one.name} ended with {one.code}: {one.last_words()}" for one in self.all if one.failed]

    async def end(self) -> None:
        """End all that still run, in good order, or by force where that takes too long."""
        running = [worker for worker in self.all if worker.code is None]
        for worker in running:
            worker.resume()
            worker.terminate()
        await asyncio.gather(*(worker.ended(self._patience) for worker in running))
        for worker in running:
            worker.kill()
            await worker.ended(self._patience)
