"""What a command makes of a destination: its next revision, as a pure function of the newest one.

A function that finds nothing to change returns the very revision it was given. Number, nonce and time of a revision
are the registry's to set.
"""

import base64
from collections.abc import Sequence

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from auditcast.schemas.destinations import (
    checked_alert_to,
    checked_description,
    checked_headers,
    checked_id,
    checked_scope,
    checked_window_events,
    checked_window_seconds,
    newest_format,
)
from auditcast.schemas.errors import AuditcastError, WrongSealingKey
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.networks import Network
from auditcast.schemas.records import Revision, SealedHeader, State
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.urls import normal_url

SECRET_BYTES = 32
Headers = Sequence[tuple[str, str]]


class AlreadyThere(AuditcastError):
    """The id is taken by a destination with other settings."""


class Gone(AuditcastError):
    """The destination was deleted, which is final."""


class Choices(Struct, frozen=True, kw_only=True):
    """What a person chose, unchecked. UNSET leaves a setting as it is, or at its default in a new destination.

    `headers` are added or put in the place of those of the same name; `without` are names to be removed. `alert_to` are
    addresses to be added, `no_alert_to` to be removed.
    """

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    window_events: int | UnsetType = UNSET
    window_seconds: int | UnsetType = UNSET
    headers: Headers = ()
    without: Sequence[str] = ()
    alert_to: Sequence[str] = ()
    no_alert_to: Sequence[str] = ()


class Rules(Struct, frozen=True, kw_only=True):
    """What the operator set: the keys, the networks that may be used, and what events of the platform look like."""

    sealer: Sealer
    allowed: Sequence[Network]
    base_url: str
    type_prefix: str


def secret_text(raw: bytes) -> str:
    """A destination's secret as its owner gets it."""
    return "whsec_" + base64.b64encode(raw).decode()


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
    blank = Revision(
        destination=checked_id(id),
        number=0,
        nonce="",
        state=state,
        changed_at=0,
        workspace=workspace,
        organization=organization,
        url=normal_url(choices.url or "", rules.allowed),
        secret=rules.sealer.seal(_secret_place(id), secret),
        epoch=epoch,
        base_url=rules.base_url,
        type_prefix=rules.type_prefix,
    )
    return edited(blank, choices, rules)


def same_as(existing: Revision, wanted: Revision, rules: Rules) -> Revision:
    """`existing` if a repeated `add` asks for what is there already; raises `AlreadyThere` and `Gone`."""
    alive(existing)
    if _settings(existing, rules.sealer) != _settings(wanted, rules.sealer):
        raise AlreadyThere(
            f"{existing.destination} exists with other settings: change it with 'auditcast destinations edit',"
            " or add under another id"
        )
    return existing


def edited(revision: Revision, choices: Choices, rules: Rules) -> Revision:
    """`revision` with what was chosen; raises `InvalidDestination` and `Gone`."""
    alive(revision)
    fields: dict[str, object] = {}
    if choices.url is not UNSET:
        fields["url"] = normal_url(choices.url, rules.allowed)
    if choices.description is not UNSET:
        fields["description"] = checked_description(choices.description)
    if choices.window_events is not UNSET:
        fields["window_events"] = checked_window_events(choices.window_events)
    if choices.window_seconds is not UNSET:
        fields["window_ms"] = checked_window_seconds(choices.window_seconds) * 1000
    if choices.format is not UNSET:
        name = newest_format(choices.format)
        fields |= {"format": name, "max_body_bytes": FORMATS[name].max_body_bytes}
    if choices.headers or choices.without:
        fields["headers"] = _headers(revision, choices, rules.sealer)
    if choices.alert_to or choices.no_alert_to:
        removed = {address.lower() for address in choices.no_alert_to}
        kept = [address for address in revision.alert_to if address.lower() not in removed]
        fields["alert_to"] = checked_alert_to([*kept, *choices.alert_to])
    return _changed(revision, replace(revision, **fields))


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


def open_headers(revision: Revision, sealer: Sealer) -> dict[str, str]:
    """The custom headers with their values, by name."""
    return {header.name: sealer.open(_place(revision, header.name), header.sealed) for header in revision.headers}


def resealed(revision: Revision, sealer: Sealer, newest: Sealer) -> Revision:
    """`revision` with everything sealed by `newest`, what is so already left as it is; raises `WrongSealingKey`.

    Also one that is deleted: what is still to be delivered for it needs its secret.
    """

    def again(place: str, sealed: bytes) -> bytes:
        try:
            newest.open(place, sealed)
        except WrongSealingKey:
            return newest.seal(place, sealer.open(place, sealed))
        return sealed

    secret = again(_secret_place(revision.destination), revision.secret)
    headers = [
        SealedHeader(header.name, again(_place(revision, header.name), header.sealed)) for header in revision.headers
    ]
    return _changed(revision, replace(revision, secret=secret, headers=headers))


def _headers(revision: Revision, choices: Choices, sealer: Sealer) -> list[SealedHeader]:
    values = open_headers(revision, sealer)
    sealed = {header.name: header for header in revision.headers}
    gone = {name.lower() for name in choices.without} | {name.lower() for name, _ in choices.headers}
    kept = [(name, value) for name, value in values.items() if name.lower() not in gone]
    checked_headers(list(choices.headers))  # first by themselves: numbers in errors count what the person gave
    result = []
    for name, value in checked_headers([*kept, *choices.headers]):
        # Sealing again gives other bytes; a header given as it is already is no change.
        same = values.get(name) == value
        result.append(sealed[name] if same else SealedHeader(name, sealer.seal(_place(revision, name), value)))
    return sorted(result, key=lambda header: header.name.lower())


def _secret_place(destination: str) -> str:
    return f"{destination}/secret"


def _place(revision: Revision, name: str) -> str:
    return f"{revision.destination}/headers/{name.lower()}"


def _settings(revision: Revision, sealer: Sealer) -> tuple[Revision, dict[str, str]]:
    """What a person chose of it, comparable."""
    bare = replace(
        revision, number=0, nonce="", changed_at=0, state="active", paused=False, because="", headers=[], secret=b"",
        epoch="", base_url="", type_prefix="",
    )  # fmt: skip
    return bare, open_headers(revision, sealer)


def alive(revision: Revision) -> Revision:
    if revision.state == "deleted":
        raise Gone(f"{revision.destination} was deleted, which is final: add a new destination")
    return revision


def _changed(revision: Revision, wanted: Revision) -> Revision:
    return revision if wanted == revision else wanted
