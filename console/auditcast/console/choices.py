"""What a person chose for a destination, and what of it that changes: pure, and unchecked until it is applied."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from auditcast.console.sealed import changed_headers, open_url, salt_place, url_place
from auditcast.schemas.destinations import (
    check_gzip,
    check_options_known,
    check_required,
    checked_alert_to,
    checked_description,
    checked_options,
    checked_successor,
    checked_window_events,
    checked_window_seconds,
    known_format,
    most_bytes,
    most_events,
)
from auditcast.schemas.filters import (
    check_kept,
    checked_actions,
    checked_categories,
    checked_outcome,
    checked_redaction,
    covers,
)
from auditcast.schemas.formats.base import Format
from auditcast.schemas.networks import Network
from auditcast.schemas.records import Option, Revision
from auditcast.schemas.sealing import Sealer
from auditcast.schemas.urls import normal_url, origin_of

SWITCHES = ("gzip", "asymmetric", "handshake", "manifests")
"""Settings that are on or off, by the names that choices and revisions have for them."""

Fields = Mapping[str, Any]


class Choices(Struct, frozen=True, kw_only=True):
    """What a person chose, unchecked. UNSET leaves a setting as it is, or at its default in a new destination.

    `headers` are added or put in the place of those of the same name, and so are `options`; `without` and `no_options`
    are names to be removed. `alert_to` are addresses to be added, `no_alert_to` to be removed. `categories` and
    `actions` take the place of those that were there; empty, all are wanted. Fields in `dropped` and `hashed` are added
    to those of the revision, those in `kept` are neither any longer; `salt` is for a destination that begins to hash,
    and must be given with `hashed`. `secret_url` seals the URL, for good.
    """

    url: str | UnsetType = UNSET
    secret_url: bool = False
    description: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    options: Sequence[tuple[str, str]] = ()
    no_options: Sequence[str] = ()
    window_events: int | UnsetType = UNSET
    window_seconds: int | UnsetType = UNSET
    headers: Sequence[tuple[str, str]] = ()
    without: Sequence[str] = ()
    alert_to: Sequence[str] = ()
    no_alert_to: Sequence[str] = ()
    categories: Sequence[str] | UnsetType = UNSET
    actions: Sequence[str] | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    dropped: Sequence[str] = ()
    hashed: Sequence[str] = ()
    kept: Sequence[str] = ()
    salt: str = ""
    gzip: bool | UnsetType = UNSET
    asymmetric: bool | UnsetType = UNSET
    handshake: bool | UnsetType = UNSET
    manifests: bool | UnsetType = UNSET


class Rules(Struct, frozen=True, kw_only=True):
    """What the operator set: the keys, the networks that may be used, and what events of the platform look like."""

    sealer: Sealer
    allowed: Sequence[Network]
    base_url: str
    type_prefix: str


def applied(revision: Revision, choices: Choices, rules: Rules) -> Revision:
    """`revision` with what was chosen, the very same if that changes nothing; raises `InvalidDestination`."""
    name = revision.format if choices.format is UNSET else checked_successor(revision.format, choices.format)
    form = known_format(name)
    fields: dict[str, Any] = {
        **_windows(revision, choices, form),
        **_options(revision, choices, form),
        **_address(revision, choices, form, rules),
        **_headers(revision, choices, form, rules.sealer),
        **_filters(choices),
        **_redaction(revision, choices, rules.sealer),
    }
    if choices.description is not UNSET:
        fields["description"] = checked_description(choices.description)
    if choices.alert_to or choices.no_alert_to:
        removed = {address.lower() for address in choices.no_alert_to}
        kept = [address for address in revision.alert_to if address.lower() not in removed]
        fields["alert_to"] = checked_alert_to([*kept, *choices.alert_to])
    fields |= {switch: given for switch in SWITCHES if (given := getattr(choices, switch)) is not UNSET}
    wanted = replace(revision, **fields)
    if wanted.gzip:
        check_gzip(form)
    return revision if wanted == revision else wanted


def _windows(revision: Revision, choices: Choices, form: Format) -> Fields:
    fields: dict[str, Any] = {"window_events": min(revision.window_events, most_events(form))}
    if choices.window_events is not UNSET:
        fields["window_events"] = checked_window_events(choices.window_events, form)
    if choices.window_seconds is not UNSET:
        fields["window_ms"] = checked_window_seconds(choices.window_seconds) * 1000
    return fields


def _options(revision: Revision, choices: Choices, form: Format) -> Fields:
    """The format, and the options that are not at their defaults."""
    held = {option.name for option in revision.options}  # perhaps of an older version that had more
    check_options_known(form, {*choices.no_options} - held)
    values = {option.name: option.value for option in revision.options if option.name not in choices.no_options}
    values = checked_options(form, values | dict(choices.options))
    fields: dict[str, Any] = {"options": [Option(name, value) for name, value in values.items()]}
    if form.name != revision.format:
        fields |= {"format": form.name, "max_body_bytes": most_bytes(form)}
    return fields


def _address(revision: Revision, choices: Choices, form: Format, rules: Rules) -> Fields:
    """What is sealed once stays so: else one `edit` would show a credential to whoever may list destinations."""
    sealed = bool(revision.sealed_url) or choices.secret_url or form.secret_url
    if choices.url is UNSET and (bool(revision.sealed_url) or not sealed):
        return {}
    url = revision.url if choices.url is UNSET else normal_url(choices.url, rules.allowed)
    if not sealed:
        return {"url": url}
    if revision.sealed_url and open_url(revision, rules.sealer) == url:
        return {}  # sealing it again would give other bytes
    return {"url": origin_of(url), "sealed_url": rules.sealer.seal(url_place(revision.destination), url)}


def _headers(revision: Revision, choices: Choices, form: Format, sealer: Sealer) -> Fields:
    headers = revision.headers
    if choices.headers or choices.without:
        headers = changed_headers(revision, choices.headers, choices.without, sealer)
    check_required(form, [header.name for header in headers])
    return {"headers": headers}


def _filters(choices: Choices) -> Fields:
    fields: dict[str, Any] = {}
    if choices.categories is not UNSET:
        fields["categories"] = checked_categories(choices.categories)
    if choices.actions is not UNSET:
        fields["actions"] = checked_actions(choices.actions)
    if choices.outcome is not UNSET:
        fields["outcome"] = checked_outcome(choices.outcome)
    return fields


def _redaction(revision: Revision, choices: Choices, sealer: Sealer) -> Fields:
    """A field that is newly dropped is hashed no longer, and the other way round."""
    dropped = {*revision.dropped} - {*choices.kept, *choices.hashed} | {*choices.dropped}
    hashed = {
        field
        for field in {*revision.hashed} - {*choices.kept}
        if not any(covers(whole, field) for whole in choices.dropped)
    } | {*choices.hashed}
    check_kept(choices.kept, dropped)
    if not (dropped or hashed or revision.dropped or revision.hashed):
        return {}
    fields: dict[str, Any] = dict(zip(("dropped", "hashed"), checked_redaction(dropped, hashed), strict=True))
    if hashed and not revision.salt:
        if not choices.salt:
            raise ValueError("what is to be hashed comes without a salt")  # guesses could be tried out
        fields["salt"] = sealer.seal(salt_place(revision.destination), choices.salt)
    return fields
