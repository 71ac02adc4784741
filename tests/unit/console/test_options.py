"""What the options of `add` and `edit` amount to, and what `formats` prints: nothing here needs a broker."""

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from auditcast.console import options
from auditcast.console.choices import Choices
from auditcast.console.commands.destinations import command as destinations
from auditcast.schemas.errors import InvalidDestination, Misconfigured
from auditcast.schemas.formats import FORMATS, NEWEST


def given(*args: str) -> Result:
    """What `edit` makes of its arguments, as the result's return value."""

    def edit(**given: Any) -> Any:
        return options.choices(**given)

    command = click.command()(options.setting_options(options.removing_options(edit)))
    return CliRunner().invoke(command, args, standalone_mode=False)


def choices(*args: str) -> Choices:
    result = given(*args)
    if result.exception:
        raise result.exception
    assert isinstance(result.return_value, Choices)
    return result.return_value


def test_nothing_given_is_nothing_chosen() -> None:
    assert choices() == Choices()


def test_every_option_is_one_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://hooks.example.com/s3cr3t")
    found = choices(
        *("--url-from-env", "HOOK", "--secret-url", "--description", "a", "--alert-to", "ops@example.com"),
        *("--category", "auth", "--category", "team_*", "--action", "*.created", "--outcome", "failure"),
        *("--drop", "client.ip", "--keep", "target", "--format", "splunk", "--option", "index=a=b"),
        *("--window-events", "5", "--window-seconds", "6", "--gzip", "--ed25519", "--no-handshake", "--manifests"),
        *("--header", "X-A: b", "--remove-header", "X-C", "--remove-alert-to", "b@example.com"),
        *("--remove-option", "source"),
    )
    assert found == Choices(
        url="https://hooks.example.com/s3cr3t", secret_url=True, description="a", alert_to=("ops@example.com",),
        categories=("auth", "team_*"), actions=("*.created",), outcome="failure", dropped=("client.ip",),
        kept=("target",), format="splunk", options=(("index", "a=b"),), window_events=5, window_seconds=6, gzip=True,
        asymmetric=True, handshake=False, manifests=True, headers=(("X-A", "b"),), without=("X-C",),
        no_alert_to=("b@example.com",), no_options=("source",),
    )  # fmt: skip


def test_filters_are_taken_back_by_name() -> None:
    found = choices("--all-categories", "--all-actions", "--any-outcome")
    assert (found.categories, found.actions, found.outcome) == ((), (), "")
    assert isinstance(given("--category", "a", "--all-categories").exception, click.UsageError)
    assert isinstance(given("--outcome", "failure", "--any-outcome").exception, click.UsageError)


def test_a_fresh_salt_comes_with_what_is_hashed_and_only_then() -> None:
    one, other = choices("--hash", "actor.email"), choices("--hash", "actor.email")
    assert len(one.salt) == len(other.salt) == 44
    assert one.salt != other.salt
    assert choices("--drop", "actor.email").salt == ""


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--option", "index"], "has no equals sign: write it as NAME=VALUE"),
        (["--option", "=a"], "has no equals sign"),
        (["--option", "index=a", "--option", "index=b"], "'index' is given twice"),
        (["--url-from-env", "https://hooks.example.com/s3cr3t"], "is not set: export it first"),
    ],
)
def test_a_slip_is_told_without_repeating_a_url(args: list[str], sentence: str) -> None:
    with pytest.raises(InvalidDestination) as caught:
        choices(*args)
    assert sentence in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert isinstance(given("--url", "https://a.example", "--url-from-env", "A").exception, click.UsageError)


def test_the_platforms_own_actions_raise_no_doubts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    chosen = Choices(categories=["rocket"], actions=["rocket.*"])
    assert len(options.doubts(chosen)) == 2
    own = tmp_path / "own.toml"
    own.write_text('[rocket]\nlaunched = "A rocket was launched"\n')
    monkeypatch.setenv("AUDITCAST_CATALOGUE", str(own))
    assert options.doubts(chosen) == []
    monkeypatch.setenv("AUDITCAST_CATALOGUE", str(tmp_path / "none.toml"))
    with pytest.raises(Misconfigured):
        options.doubts(chosen)


@pytest.mark.parametrize("name", ["add", "edit"])
def test_the_options_are_listed_in_sections_each_once(name: str) -> None:
    text = CliRunner().invoke(destinations, [name, "--help"]).output
    shown = text[re.search(r"^\S.*:$", text, re.MULTILINE).start() :]  # type: ignore[union-attr]  # there are some
    found = destinations.get_command(click.Context(destinations), name)
    assert found is not None
    for each in found.params:
        if isinstance(each, click.Option):
            assert len(re.findall(rf"^  {each.opts[0]}\b(?!-)", shown, re.MULTILINE)) == 1, each.opts[0]
    titles = [line for line in shown.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert {*titles} == {"Where to:", "Which events:", "Which fields of them:", "How they are sent:", "Options:"}


def test_every_format_is_listed_with_all_that_it_asks_for() -> None:
    listed = json.loads(CliRunner().invoke(destinations, ["formats", "--json"]).output)
    assert [each["name"] for each in listed] == sorted(NEWEST.values())
    text = CliRunner().invoke(destinations, ["formats"]).output
    for each in listed:
        form = FORMATS[each["name"]]
        assert each["name"] in each["versions"]
        assert [option["name"] for option in each["options"]] == [option.name for option in form.options]
        for header in form.required_headers:
            assert f"--header '{header.example}'" in text
        for option in form.options:
            assert f"{option.name}={option.example}" in text
    [one] = json.loads(CliRunner().invoke(destinations, ["formats", "cloudevents/1", "--json"]).output)
    assert one["name"] == "cloudevents/1"
