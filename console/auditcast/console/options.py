"""The options by which a person gives a destination's settings, and what they and the environment amount to."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from auditcast.console.choices import Choices, Rules
from auditcast.console.headers import given_headers
from auditcast.console.sealed import new_salt
from auditcast.console.sections import SectionedOption
from auditcast.console.settings import Destinations, Events
from auditcast.kafka.keyrings import sealer_of
from auditcast.kafka.settings import read
from auditcast.schemas.catalogue import Catalogue
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.filters import OUTCOMES, hints
from auditcast.schemas.networks import networks

Command = Callable[..., None]
Decorator = Callable[[Command], Command]

WHERE, WHAT, FIELDS, HOW = "Where to", "Which events", "Which fields of them", "How they are sent"

json_option = click.option("--json", "json_", is_flag=True, help="Print JSON, for scripts.")


def option(section: str, *names: str, **rest: Any) -> Decorator:
    """An option in a section of `--help`."""
    return click.option(*names, cls=SectionedOption, section=section, **rest)


def setting_options(command: Command) -> Command:
    """The options that `add` and `edit` share; `choices` takes what they give."""
    return _with(command, [*_ADDRESS, *_EVENTS, *_SENDING])


def removing_options(command: Command) -> Command:
    """The options of `edit` alone, which take something back; `choices` takes what they give."""
    return _with(command, _REMOVING)


_ADDRESS = [
    option(WHERE, "--url", help="The endpoint, as in https://siem.example.com/audit."),
    option(
        WHERE, "--url-from-env", metavar="VARIABLE",
        help="The same, from an environment variable: other users of the machine cannot see it.",
    ),
    option(
        WHERE, "--secret-url", is_flag=True,
        help="Seal the URL and show only its host, for good; formats whose URL is a credential do so by themselves.",
    ),
    option(WHERE, "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header as well."),
    option(
        WHERE, "--header-from-env", "from_env", multiple=True, metavar="NAME=VARIABLE",
        help="The same, its value from an environment variable.",
    ),
    option(
        WHERE, "--header-file", "files", multiple=True, type=click.Path(path_type=Path),
        help="The same, from a file of lines 'Name: value'.",
    ),
    option(WHERE, "--description", help="What people call it."),
    option(WHERE, "--alert-to", multiple=True, metavar="EMAIL", help="Tell this address when deliveries fail."),
]  # fmt: skip

_EVENTS = [
    option(
        WHAT, "--category", "categories", multiple=True, metavar="GLOB",
        help="Only events of such a category, as in team_*.",
    ),
    option(
        WHAT, "--action", "actions", multiple=True, metavar="GLOB",
        help="Only such actions, with their category, as in *.created.",
    ),
    option(WHAT, "--outcome", type=click.Choice(OUTCOMES), help="Only what succeeded, or failed."),
    option(
        FIELDS, "--drop", "dropped", multiple=True, metavar="FIELD",
        help="Leave this field out, as in client.ip or metadata.token.",
    ),
    option(
        FIELDS, "--hash", "hashed", multiple=True, metavar="FIELD",
        help="Send a keyed hash of it, equal for equal values, as in actor.email.",
    ),
]  # fmt: skip

_SENDING = [
    option(HOW, "--format", help="What the intake takes, of 'destinations formats'; cloudevents unless set."),
    option(HOW, "--option", "options", multiple=True, metavar="NAME=VALUE", help="A choice that the format offers."),
    option(HOW, "--window-events", type=int, help="Deliver after so many events, 1 to 100; some formats take fewer."),
    option(HOW, "--window-seconds", type=int, help="Deliver after this many seconds, 1 to 30."),
    option(HOW, "--gzip/--no-gzip", default=None, help="Pack bodies, where the format allows it."),
    option(
        HOW, "--ed25519/--no-ed25519", "asymmetric", default=None,
        help="Sign with the platform's Ed25519 key as well: see 'auditcast keys public'.",
    ),
    option(
        HOW, "--handshake/--no-handshake", default=None,
        help="Ask for the receiver's consent first, as CloudEvents webhooks do.",
    ),
    option(HOW, "--manifests/--no-manifests", default=None, help="Send the hourly signed manifests, too."),
]  # fmt: skip

_REMOVING = [
    option(WHERE, "--remove-header", "without", multiple=True, metavar="NAME", help="Send this header no longer."),
    option(
        WHERE, "--remove-alert-to", "no_alert_to", multiple=True, metavar="EMAIL", help="Tell this address no longer."
    ),
    option(WHAT, "--all-categories", is_flag=True, help="Events of every category again."),
    option(WHAT, "--all-actions", is_flag=True, help="Every action again."),
    option(WHAT, "--any-outcome", is_flag=True, help="What succeeded and what failed again."),
    option(FIELDS, "--keep", "kept", multiple=True, metavar="FIELD", help="Send this field as it is again."),
    option(
        HOW, "--remove-option", "no_options", multiple=True, metavar="NAME", help="Have the format's default again."
    ),
]  # fmt: skip


def choices(  # noqa: PLR0913  (each is one option)
    *, headers: tuple[str, ...], from_env: tuple[str, ...], files: tuple[Path, ...], options: tuple[str, ...],
    url: str | None, url_from_env: str | None, all_categories: bool = False, all_actions: bool = False,
    any_outcome: bool = False, **plain: Any,
) -> Choices:  # fmt: skip
    """What was given, where None means not given; raises `InvalidDestination`, and click's error for contradictions."""
    given = {name: value for name, value in plain.items() if value is not None}
    for name, everything, flag in (
        ("categories", all_categories, "--all-categories"),
        ("actions", all_actions, "--all-actions"),
        ("outcome", any_outcome, "--any-outcome"),
    ):
        wanted = given.pop(name, None)
        if wanted and everything:
            raise click.UsageError(f"{flag} and what it takes back cannot be given together: leave one of them out.")
        if wanted or everything:
            given[name] = wanted or ("" if name == "outcome" else ())
    if url is not None and url_from_env is not None:
        raise click.UsageError("Give the URL once: --url or --url-from-env.")
    if url is not None or url_from_env is not None:
        given["url"] = url if url_from_env is None else _url_of(url_from_env)
    return Choices(
        headers=tuple(given_headers(headers, from_env, files, os.environ)),
        options=_pairs(options),
        salt=new_salt() if given.get("hashed") else "",
        **given,
    )


def rules() -> Rules:
    """What the operator set in the environment; raises `Misconfigured`."""
    settings = read(Destinations, os.environ)
    return Rules(
        sealer=sealer_of(settings.sealing_keys),
        allowed=networks(settings.allowed_networks),
        base_url=settings.base_url,
        type_prefix=settings.type_prefix,
    )


def doubts(chosen: Choices) -> list[str]:
    """A sentence for each filter that is most likely a slip; raises `Misconfigured`."""
    path = read(Events, os.environ).catalogue
    catalogue = Catalogue.with_file(path) if path else Catalogue.builtin()
    return hints(chosen.categories or (), chosen.actions or (), catalogue)


def _with(command: Command, decorators: Sequence[Decorator]) -> Command:
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def _url_of(variable: str) -> str:
    if variable not in os.environ:
        # What stands there may be the URL itself, given by mistake: it is not repeated.
        raise InvalidDestination("url", "the environment variable named by --url-from-env is not set: export it first")
    return os.environ[variable]


def _pairs(texts: Iterable[str]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidDestination("option", f"{text[:60]!r} has no equals sign: write it as NAME=VALUE")
        if name in found:
            raise InvalidDestination("option", f"{name[:60]!r} is given twice: give it once")
        found[name] = value
    return tuple(found.items())
