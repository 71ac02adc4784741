"""docs/auditing.md holds: its report is what the command prints, its options and findings are all that there are."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from auditcast.console.commands.verify import command
from auditcast.console.verifying.findings import Kind, gravity
from auditcast.console.verifying.report import VERDICTS
from tests.received import SECRET

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "auditing.md").read_text("utf-8")
VERIFYING = (ROOT / "docs" / "verifying.md").read_text("utf-8")


def test_the_report_is_what_the_command_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = re.findall(r"```console report\n\$ auditcast verify (.*?)\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(ROOT / "tests" / "fixtures" / "received")
    done = CliRunner(env={"AUDITCAST_SECRET": SECRET}).invoke(command, shlex.split(block[0]))
    assert done.stdout == block[1]


def test_every_option_is_explained() -> None:
    options = {name for option in command.params for name in option.opts if name.startswith("--")}
    assert options <= set(re.findall(r"`(--[a-z-]+)", PAGE)) | {"--help"}


def test_every_finding_is_explained_with_its_exit_code() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([0-3]) \|", VERIFYING, re.MULTILINE)
    assert dict(rows) | {"numbers": "0"} == {kind.value: str(gravity(kind)) for kind in Kind}
    assert "`numbers`" in PAGE
    codes = re.findall(r"^\| ([0-3]) \|", PAGE, re.MULTILINE)
    assert codes == [str(code) for code in range(len(VERDICTS))]
