"""The operator of the platform in miniature: runs `auditcast` commands as a person does, each in its own process."""

import asyncio
import sys
from collections.abc import Mapping

from msgspec import Struct


class Said(Struct, frozen=True):
    """How a command ended, and what it printed."""

    command: str
    code: int
    output: str


class Operator:
    """Has the settings of `environ`."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    async def run(self, *arguments: str) -> Said:
        """`auditcast` with these arguments; returns when it has ended."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "auditcast.console",
            *arguments,
            env=dict(self._environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return Said(" ".join(("auditcast", *arguments)), process.returncode or 0, output.decode(errors="replace"))
