"""What a command makes of a destination: its next revision, as a pure function of the newest one.

A function that finds nothing to change returns the very revision it was given. Number, nonce and time of a revision
are the registry's to set.
"""

from msgspec import UNSET
from msgspec.structs import replace

from auditcast.console.choices import Choices, Rules, applied
from auditcast.console.sealed import open_headers, open_url, secret_place
from auditcast.schemas.destinations import (
    checked_id,
    checked_scope,
    family_of,
    known_format,
    most_bytes,
    most_events,
    newest_format,
)
from auditcast.schemas.errors import AuditcastError, InvalidDestination
from auditcast.schemas.records import Revision, State

DEFAULT_FORMAT = "cloudevents"


class AlreadyThere(AuditcastError):
    """The id is taken by a destination with other settings."""


class Gone(AuditcastError):
    """The destination was deleted, which is final."""


def created(  # noqa: PLR0913  (each is one choice)
    id: str,  # noqa: A002  (the product's word)
    *,
    workspace: str | None,
    organization: str | None,
    choices: Choices,
    rules: Rules,
    secret: str,
    epoch: str,
    state: State = "active",
) -> Revision:
    """A new destination; raises `InvalidDestination`."""
    workspace, organization = checked_scope(workspace, organization)
    if choices.url is UNSET:
        raise InvalidDestination("url", "is missing: give it with --url or --url-from-env")
    form = known_format(newest_format(choices.format or DEFAULT_FORMAT))
    blank = Revision(
        destination=checked_id(id),
        number=0,
        nonce="",
        state=state,
        changed_at=0,
        workspace=workspace,
        organization=organization,
        secret=rules.sealer.seal(secret_place(id), secret),
        epoch=epoch,
        format=form.name,
        window_events=most_events(form),
        max_body_bytes=most_bytes(form),
        base_url=rules.base_url,
        type_prefix=rules.type_prefix,
    )
    return edited(blank, choices, rules)


def same_as(existing: Revision, wanted: Revision, choices: Choices, rules: Rules) -> Revision:
    """`existing` if a repeated `add` asks for what is there already; raises `AlreadyThere` and `Gone`.

    Who names no version of the format gets the newest that there is, and meant the same when that was an older one.
    """
    alive(existing)
    if "/" not in (choices.format or "") and family_of(existing.format) == family_of(wanted.format):
        wanted = replace(wanted, format=existing.format, max_body_bytes=existing.max_body_bytes)
    if _settings(existing, rules) != _settings(wanted, rules):
        raise AlreadyThere(
            f"{existing.destination} exists with other settings: change it with 'auditcast destinations edit',"
            " or add under another id"
        )
    return existing


def edited(revision: Revision, choices: Choices, rules: Rules) -> Revision:
    """`revision` with what was chosen; raises `InvalidDestination` and `Gone`."""
    return applied(alive(revision), choices, rules)


def enabled(revision: Revision) -> Revision:
    """`revision`, collecting; it delivers too unless it is paused."""
    return _put(alive(revision), "active", paused=revision.paused)


def disabled(revision: Revision) -> Revision:
    """`revision`, collecting nothing."""
    return _put(alive(revision), "disabled", paused=revision.paused)


def paused(revision: Revision) -> Revision:
    """`revision`, delivering nothing; what is collected waits."""
    return _put(alive(revision), revision.state, paused=True)


def resumed(revision: Revision) -> Revision:
    """`revision`, delivering."""
    return _put(alive(revision), revision.state, paused=False)


def deleted(revision: Revision) -> Revision:
    """`revision`, ended for ever; what was collected before is still delivered, so URL and secret stay.

    A pause ends by it: nobody could end it later.
    """
    return _put(revision, "deleted", paused=False)


def _put(revision: Revision, state: State, *, paused: bool) -> Revision:
    """`revision` in another condition by a person's will, which no verdict of the system is the reason of."""
    if (revision.state, revision.paused) == (state, paused):
        return revision
    return replace(revision, state=state, paused=paused, because="")


def alive(revision: Revision) -> Revision:
    """`revision`, if it may still be changed; raises `Gone`."""
    if revision.state == "deleted":
        raise Gone(f"{revision.destination} was deleted, which is final: add a new destination")
    return revision


def _settings(revision: Revision, rules: Rules) -> tuple[Revision, dict[str, str], str]:
    """What a person chose of it, comparable."""
    bare = replace(
        revision, number=0, nonce="", changed_at=0, state="active", paused=False, because="", headers=[], secret=b"",
        epoch="", base_url="", type_prefix="", entitled=True, salt=b"", url="",
        sealed_url=bytes(bool(revision.sealed_url)),        next_secret=b"", rotation_ends=0,
    )  # fmt: skip
    return bare, open_headers(revision, rules.sealer), open_url(revision, rules.sealer)
