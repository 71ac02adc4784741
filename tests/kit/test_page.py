"""What docs/kit/README.md shows works."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix

from tests.kit.languages import KIT
from tests.kit.sending import NOW, SECRET, Request, chained, sent

PAGE = (KIT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def delivery() -> Request:
    """One of this very moment."""
    [batch] = chained(1)
    return sent(batch, now=int(time.time()))


def test_python(delivery: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(KIT))
    kept: list[Any] = []
    names: dict[str, Any] = {"SECRET": SECRET, "keep": lambda *what: kept.append(what)}
    try:
        exec(blocks("python")[0], names)  # noqa: S102  (our own page)
    finally:
        sys.modules.pop("check", None)
    headers = dict(delivery.headers)
    assert names["receive"](headers, delivery.body) == (200, "next")
    assert names["receive"](headers, delivery.body) == (200, "repeat")
    assert names["receive"](headers, delivery.body + b" ") == (401, "wrong signature")
    assert kept == [(headers, delivery.body, delivery.content)]


def test_the_libraries(delivery: Request) -> None:
    names = {"standardwebhooks": standardwebhooks, "svix": svix, "SECRET": SECRET}
    exec(blocks("python")[1], names | {"body": delivery.body, "headers": dict(delivery.headers)})  # noqa: S102  (same)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        exec(blocks("python")[1], names | {"body": b"[]", "headers": dict(delivery.headers)})  # noqa: S102  (same)


def test_node(delivery: Request, tmp_path: Path) -> None:
    shutil.copy(KIT / "check.mjs", tmp_path)
    [example] = blocks("js")
    told = (
        f"const SECRET = '{SECRET}'; let kept = 0; const keep = () => kept++;\n"
        f"const headers = {dict(delivery.headers)!r};\n"
        f"const body = Buffer.from('{delivery.body.hex()}', 'hex');\n"
        "for (const each of [body, body, Buffer.from('x')]) console.log(receive(headers, each).join(' '));\n"
        "console.log(kept);\n"
    )
    (tmp_path / "example.mjs").write_text(example + told)
    done = subprocess.run(["node", "example.mjs"], cwd=tmp_path, check=True, capture_output=True, text=True)  # noqa: S607  (wherever it is)
    assert done.stdout.splitlines() == ["200 next", "200 repeat", "401 wrong signature", "1"]


def test_go(tmp_path: Path) -> None:
    (tmp_path / "check").mkdir()
    shutil.copy(KIT / "check.go", tmp_path / "check")
    (tmp_path / "go.mod").write_text("module kit\n\ngo 1.20\n")
    [example] = blocks("go")
    used = ("fmt", "io", "net/http", "os", "sync", "time", "kit/check")
    imports = "".join(f'import "{name}"\n' for name in used)
    (tmp_path / "example.go").write_text(f"package main\n\n{imports}\n{example}\nfunc main() {{ _ = receive }}\n")
    subprocess.run(["go", "build", "-o", "example", "."], cwd=tmp_path, check=True)  # noqa: S607  (wherever it is)


def test_shell(tmp_path: Path) -> None:
    [batch] = chained(1)
    delivery = sent(batch)
    (tmp_path / "headers.txt").write_text("".join(f"{name}: {value}\n" for name, value in delivery.headers.items()))
    (tmp_path / "body.json").write_bytes(delivery.body)
    shutil.copy(KIT / "check.sh", tmp_path)
    [session] = blocks("console")
    commands = re.findall(r"^\$ (.*)", session, re.MULTILINE)
    script = "\n".join([f"export NOW={NOW}", *commands])
    done = subprocess.run(["/bin/bash", "-ec", script], cwd=tmp_path, check=True, capture_output=True, text=True)  # noqa: S603  (our own page)
    assert done.stdout.splitlines() == [line for line in session.splitlines() if not line.startswith("$ ")]


def test_the_example_of_the_verifying_page_is_genuine(tmp_path: Path) -> None:
    pages = {name: (KIT.parent / f"{name}.md").read_text() for name in ("verifying", "troubleshooting")}
    [headers], [body] = (
        re.findall(rf"```{name}\n(.*?)```", pages["verifying"], re.DOTALL) for name in ("http", "json")
    )
    (tmp_path / "headers.txt").write_text(headers)
    (tmp_path / "body.json").write_text(body.strip(), "utf-8")
    shutil.copy(KIT / "check.sh", tmp_path)
    [session] = [
        block
        for block in re.findall(r"```console\n(.*?)```", pages["troubleshooting"], re.DOTALL)
        if "check.sh" in block
    ]
    script = "\n".join(re.findall(r"^\$ (.*)", session, re.MULTILINE))
    done = subprocess.run(  # noqa: S603  (our own page)
        ["/bin/bash", "-ec", script], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert done.stdout == session.splitlines()[-1] + "\n"
