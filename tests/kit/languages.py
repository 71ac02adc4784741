"""The kit's checks (docs/kit/), each run in its own language on the same cases."""

import base64
import json
import os
import runpy
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from msgspec import Struct

from tests.kit.sending import NOW, SECRET, Request

ROOT = Path(__file__).parents[2]
KIT = ROOT / "docs" / "kit"
DRIVERS = Path(__file__).parent / "drivers"


class Case(Struct, frozen=True, kw_only=True):
    """A request, and what it is checked by; `take` asks what it is among those before, `simple` for the old header."""

    request: Request
    secrets: Sequence[str] = (SECRET,)
    public_keys: Sequence[str] = ()
    now: int = NOW
    simple: bool = False
    take: bool = False


Checker = Callable[[Case], str]
"""Gives `genuine`, what it is among those before, or `refused: …`."""


class Spoken:
    """A driver that answers each line of JSON with a line."""

    def __init__(self, command: Sequence[str | Path]) -> None:
        self._process = subprocess.Popen(  # noqa: S603  (our own command)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, case: Case) -> str:
        """Put one case, and wait for its answer."""
        told, heard = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        told.write(json.dumps(_shape(case)) + "\n")
        told.flush()
        answer = heard.readline()
        assert answer, "the driver has ended: see its standard error"
        return answer.strip()

    def close(self) -> None:
        """End the driver."""
        self._process.communicate()


def _shape(case: Case) -> dict[str, Any]:
    return {
        "headers": dict(case.request.headers),
        "body": base64.b64encode(case.request.body).decode(),
        "content": base64.b64encode(case.request.content).decode(),
        "secrets": case.secrets,
        "public_keys": case.public_keys,
        "now": case.now,
        "simple": case.simple,
        "take": case.take,
    }


def python() -> Checker:
    """docs/kit/check.py, in this process."""
    kit = runpy.run_path(str(KIT / "check.py"))
    arrivals = kit["Arrivals"]()

    def answer(case: Case) -> str:
        headers = dict(case.request.headers)
        try:
            if case.simple:
                kit["check_body"](headers, case.request.body, secrets=case.secrets)
                return "genuine"
            keys = {"secrets": case.secrets, "public_keys": case.public_keys}
            content = kit["check"](headers, case.request.body, **keys, now=case.now)
        except ValueError as refused:
            return f"refused: {refused}"
        assert content == case.request.content
        return str(arrivals.take(headers)) if case.take else "genuine"

    return answer


def node() -> Spoken:
    """docs/kit/check.mjs."""
    return Spoken(["node", DRIVERS / "check.mjs", KIT])


def go(folder: Path) -> Spoken:
    """docs/kit/check.go, compiled in `folder`."""
    (folder / "check").mkdir()
    shutil.copy(KIT / "check.go", folder / "check")
    shutil.copy(DRIVERS / "check_main.go", folder / "main.go")
    (folder / "go.mod").write_text("module kit\n\ngo 1.20\n")
    subprocess.run(["go", "build", "-o", "driver", "."], cwd=folder, check=True)  # noqa: S607  (wherever go is)
    return Spoken([folder / "driver"])


def shell(folder: Path) -> Checker:
    """docs/kit/check.sh, a process for each case; its files are in `folder`."""

    def answer(case: Case) -> str:
        (folder / "headers").write_text("".join(f"{name}: {value}\r\n" for name, value in case.request.headers.items()))
        (folder / "body").write_bytes(case.request.body)
        state = [folder / "state"] if case.take else []
        done = subprocess.run(  # noqa: S603  (our own command)
            ["/bin/bash", KIT / "check.sh", folder / "headers", folder / "body", *state],
            env=_environment(case),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == int(done.stdout.startswith("refused: ")), done.stdout
        return done.stdout.strip()

    return answer


def _environment(case: Case) -> dict[str, str]:
    names: dict[str, Sequence[str]] = {"WEBHOOK_SECRET": case.secrets, "WEBHOOK_PUBLIC_KEY": case.public_keys}
    keys = {name: values[0] for name, values in names.items() if values}
    simple = {"SIMPLE": "1"} if case.simple else {}
    return {"PATH": os.environ["PATH"], "NOW": str(case.now), **keys, **simple}
