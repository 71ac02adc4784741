"""Every command in the pages is one that there is, and what the quickstarts add can be added."""

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex

import click
import pytest
from click.testing import CliRunner

from auditcast.console.__main__ import auditcast
from auditcast.console.showing import outcome
from auditcast.kafka import topics as kafka_topics
from auditcast.kafka.local import Broker
from auditcast.kafka.settings import Connection
from auditcast.schemas.records import Attempt, Revision, SealedHeader, TestResult
from auditcast.schemas.sealing import new_key

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
QUICKSTARTS = [page for page in sorted(ROOT.glob("docs/quickstarts/*.md")) if page.stem != "README"]
RECEIVED = ROOT / "tests" / "fixtures" / "received"
DESTINATION = "dst_y4yoccfm2zretfai"


def sessions(page: Path) -> Iterator[tuple[str, str]]:
    """The commands of a page's terminal sessions, each with what it prints."""
    for indent, block in re.findall(r"^( *)```console\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE):
        lines = re.sub(rf"^{indent}", "", block, flags=re.MULTILINE).replace("\\\n", " ")
        yield from re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", lines, re.MULTILINE)


def written(page: Path) -> set[str]:
    """All commands of ours on a page, in sessions and in the text; without what is left to the reader."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    inline = (re.sub(r"\s+", " ", each) for each in re.findall(r"`(auditcast [^`]*)`", text))
    whole = {
        each for each in inline if "…" not in each and "|" not in each and not re.search(r"\bID\b|[A-Z]{3,}", each)
    }
    return whole | {command.partition(" #")[0] for command, _ in sessions(page) if command.startswith("auditcast ")}


def parsed(words: Sequence[str]) -> None:
    """Raises `click.UsageError` for what no command takes; values and required options are not looked at."""
    command: click.Command = auditcast
    context = click.Context(auditcast)
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        found = command.get_command(context, name)
        if found is None:
            raise click.UsageError(f"there is no command {name}")
        command, context = found, click.Context(found, parent=context)
    command.make_parser(context).parse_args(rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_exists_with_its_options(page: Path) -> None:
    for command in written(page):
        try:
            parsed(shlex.split(re.sub(r"[;|>].*$", "", command))[1:])
        except (click.UsageError, ValueError) as wrong:
            pytest.fail(f"{page.name}: {command}: {wrong}")


@pytest.fixture(scope="module")
def connection(broker: Broker) -> Connection:
    """Topics for all quickstarts."""
    made = broker.connection(f"test-{token_hex(4)}")
    kafka_topics.create(made, 2)
    return made


@pytest.mark.parametrize("page", QUICKSTARTS, ids=lambda page: page.stem)
def test_the_destination_of_a_quickstart_can_be_added(
    page: Path, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITCAST_BOOTSTRAP_SERVERS", connection.bootstrap_servers)
    monkeypatch.setenv("AUDITCAST_TOPIC_PREFIX", connection.topic_prefix)
    monkeypatch.setenv("AUDITCAST_SEALING_KEYS", new_key())
    said = list(sessions(page))
    for name, value in re.findall(r"^export (\w+)=(.*)$", "\n".join(command for command, _ in said), re.MULTILINE):
        monkeypatch.setenv(name, value.strip("'\""))
    [(command, printed)] = [pair for pair in said if pair[0].startswith("auditcast destinations add")]
    # The environment keeps what was said of it.
    done = CliRunner(env=dict(os.environ)).invoke(auditcast, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output

    def nameless(text: str) -> str:
        return re.sub(r"whsec_\S+", "whsec_", re.sub(r"dst_\w+", "dst_", text))

    assert nameless(done.output).rstrip() == nameless(printed).rstrip()
    for option in re.findall(r"`--option (\w+)=", page.read_text()):
        assert option in CliRunner().invoke(auditcast, ["destinations", "formats", format_of(command)]).output


def format_of(command: str) -> str:
    words = shlex.split(command)
    return words[words.index("--format") + 1] if "--format" in words else "cloudevents"


@pytest.mark.parametrize("page", [*QUICKSTARTS, ROOT / "docs" / "troubleshooting.md"], ids=lambda page: page.stem)
def test_what_a_test_is_said_to_print_is_what_it_prints(page: Path) -> None:
    [printed] = [printed for command, printed in sessions(page) if command.startswith("auditcast destinations test")]
    verdict, status, latency = re.findall(r": (delivered|not delivered), status (\d+), (\d+) ms", printed)[0]
    answer = "\n".join(re.findall(r"^  (.*)$", printed, re.MULTILINE))
    revision = Revision(
        destination=DESTINATION, number=1, nonce="", state="active", changed_at=0, epoch="00",
        headers=[SealedHeader("Authorization", b"")],
    )  # fmt: skip
    attempt = Attempt(at=0, latency_ms=int(latency), status=int(status), answer=answer)
    result = TestResult(batch="", destination=DESTINATION, delivered=verdict == "delivered", attempt=attempt)
    assert outcome(result, revision) == printed.rstrip()


def test_what_verify_is_said_to_print_is_what_it_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    [(command, printed)] = [
        pair for pair in sessions(ROOT / "docs" / "troubleshooting.md") if pair[0].startswith("auditcast verify")
    ]
    monkeypatch.chdir(RECEIVED)
    secret = "whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
    done = CliRunner(env={"AUDITCAST_SECRET": secret}).invoke(auditcast, shlex.split(command)[1:])
    assert done.output.rstrip() == printed.rstrip()


def test_what_other_pages_hold_is_shown_as_it_is_there() -> None:
    shown = dict(sessions(ROOT / "docs" / "troubleshooting.md"))
    for page in ("destinations.md", "tracing.md"):
        for command, printed in sessions(ROOT / "docs" / page):
            if command.startswith(("auditcast destinations list", "auditcast trace")) and command in shown:
                assert printed.startswith(shown.pop(command).rstrip())
    assert not any(command.startswith(("auditcast destinations list", "auditcast trace")) for command in shown)
