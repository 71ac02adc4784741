"""What a person may choose beyond the plain settings: formats with their demands, filters, redaction, sealed URLs."""

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from auditcast.console.choices import Choices, Rules, applied
from auditcast.console.revisions import AlreadyThere, created, same_as
from auditcast.console.sealed import open_salt, open_url, resealed
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.formats import FORMATS, NEWEST
from auditcast.schemas.formats.base import RequiredHeader
from auditcast.schemas.formats.cloudevents import CloudEvents
from auditcast.schemas.records import Option, Revision
from auditcast.schemas.sealing import Sealer, new_key

RULES = Rules(sealer=Sealer([new_key()]), allowed=(), base_url="https://platform.example", type_prefix="example")
SALT = "c2FsdA=="
HOOK = "https://hooks.example.com/services/T0/s3cr3t"


class Picky(CloudEvents):
    """An intake that takes ten events of 5 kB at a URL that is a credential, and wants a key."""

    title = "Picky Intake"
    max_events = 10
    max_body_bytes = 5_000
    gzip = False
    secret_url = True
    required_headers = (RequiredHeader("X-Key", "X-Key: KEY"),)


@pytest.fixture(autouse=True)
def picky(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "picky/1", Picky("picky/1"))
    monkeypatch.setitem(NEWEST, "picky", "picky/1")


def made(**choices: Any) -> Revision:
    given = {"url": "https://siem.example.com/audit"} | choices
    return created(
        "dst_1", workspace="ws_1", organization=None, choices=Choices(**given), rules=RULES, secret="whsec_AAAA",
        epoch="00",
    )  # fmt: skip


def edited(revision: Revision, **choices: Any) -> Revision:
    return applied(revision, Choices(**choices), RULES)


def test_a_new_destination_keeps_to_what_its_format_takes() -> None:
    revision = made(format="picky", headers=[("x-key", "k")])
    assert (revision.format, revision.window_events, revision.max_body_bytes) == ("picky/1", 10, 5_000)
    with pytest.raises(InvalidDestination, match="from 1 to 10 in the format picky/1"):
        edited(revision, window_events=11)
    with pytest.raises(InvalidDestination, match="takes no packed bodies"):
        edited(revision, gzip=True)
    with pytest.raises(InvalidDestination, match="a destination's format stays picky"):
        edited(revision, format="cloudevents")


def test_a_header_that_the_intake_wants_can_be_replaced_but_not_left_out() -> None:
    with pytest.raises(InvalidDestination, match=r"Picky Intake needs the header X-Key: .* --header 'X-Key: KEY'"):
        made(format="picky")
    revision = made(format="picky", headers=[("X-Key", "k")])
    with pytest.raises(InvalidDestination, match="needs the header X-Key"):
        edited(revision, without=["x-key"])
    assert edited(revision, without=["x-key"], headers=[("X-KEY", "new")]).headers[0].name == "X-KEY"


def test_a_new_version_of_the_format_brings_its_own_limits_and_no_other_edit_does() -> None:
    old = replace(made(format="cloudevents/1"), max_body_bytes=700_000)
    assert edited(old, description="a").max_body_bytes == 700_000
    new = edited(old, format="cloudevents")
    assert (new.format, new.max_body_bytes) == ("cloudevents/2", 900_000)


def test_options_are_set_one_by_one_and_given_back() -> None:
    revision = made(options=[("content_type", "batch")])
    assert revision.options == [Option("content_type", "batch")]
    assert edited(revision, description="x").options == revision.options
    assert edited(revision, no_options=["content_type"]).options == []
    assert edited(revision, options=[("content_type", "batch")]) is revision
    assert made(options=[("content_type", "json")]).options == [], "it is the default"
    with pytest.raises(InvalidDestination, match="no option 'colour'"):
        edited(revision, options=[("colour", "blue")])


def test_filters_are_replaced_and_taken_back() -> None:
    revision = made(categories=["team_*", "auth"], actions=["*.created"], outcome="failure")
    assert (revision.categories, revision.actions, revision.outcome) == (["auth", "team_*"], ["*.created"], "failure")
    assert edited(revision, categories=["auth", "team_*"]) is revision
    assert edited(revision, categories=["billing"]).categories == ["billing"]
    everything = edited(revision, categories=(), actions=(), outcome="")
    assert (everything.categories, everything.actions, everything.outcome) == ([], [], "")


def test_fields_are_redacted_on_top_and_only_shown_again_if_that_is_said() -> None:
    revision = made(dropped=["client.ip"], hashed=["actor.email", "target.id"], salt=SALT)
    assert open_salt(revision, RULES.sealer) == SALT.encode()
    more = edited(revision, dropped=["metadata.token"])
    assert (more.dropped, more.hashed) == (["client.ip", "metadata.token"], ["actor.email", "target.id"])
    other = edited(more, hashed=["client.ip"], salt="b3RoZXI=")
    assert (other.dropped, other.hashed) == (["metadata.token"], ["actor.email", "client.ip", "target.id"])
    assert other.salt == revision.salt, "equal values must stay equal"
    whole = edited(other, dropped=["target"])
    assert (whole.dropped, whole.hashed) == (["metadata.token", "target"], ["actor.email", "client.ip"])
    with pytest.raises(InvalidDestination, match="while target is left out"):
        edited(whole, hashed=["target.name"], salt=SALT)
    bare = edited(whole, kept=["metadata.token", "target", "actor.email", "client.ip"])
    assert (bare.dropped, bare.hashed, bare.salt) == ([], [], revision.salt)


@pytest.mark.parametrize(
    ("kept", "sentence"),
    [
        ("clientip", "'clientip' is no such field: did you mean client.ip?"),
        ("client.ip", "client.ip is left out with all of client: keep client, and drop the rest"),
        ("metadata.a.b", "metadata.a.b is left out with all of metadata"),
    ],
)
def test_a_field_that_would_not_be_shown_again_is_refused(kept: str, sentence: str) -> None:
    revision = made(dropped=["client", "metadata"])
    with pytest.raises(InvalidDestination, match=sentence):
        edited(revision, kept=[kept])
    assert edited(revision, kept=["client", "client.ip"], dropped=["client.user_agent"]).dropped == [
        "client.user_agent",
        "metadata",
    ]


def test_an_option_that_the_format_lacks_cannot_be_removed() -> None:
    with pytest.raises(InvalidDestination, match="has no option 'indx': it has content_type"):
        edited(made(), no_options=["indx"])


def test_nothing_is_ever_hashed_without_a_salt() -> None:
    with pytest.raises(ValueError, match="without a salt"):
        made(hashed=["actor.email"])


def test_a_url_that_is_a_credential_is_sealed_for_good() -> None:
    for revision in (made(url=HOOK, secret_url=True), made(url=HOOK, format="picky", headers=[("X-Key", "k")])):
        assert revision.url == "https://hooks.example.com"
        assert open_url(revision, RULES.sealer) == HOOK
        assert edited(revision, url=HOOK) is revision
        assert edited(revision, secret_url=True) is revision
        moved = edited(revision, url="https://other.example.com:8443/s3cr3t-2")
        assert moved.url == "https://other.example.com:8443"
        assert open_url(moved, RULES.sealer) == "https://other.example.com:8443/s3cr3t-2"
    plain = made(url=HOOK)
    assert (plain.url, plain.sealed_url) == (HOOK, b"")
    sealed = edited(plain, secret_url=True)
    assert (sealed.url, open_url(sealed, RULES.sealer)) == ("https://hooks.example.com", HOOK)


def test_adding_again_compares_what_is_sealed() -> None:
    there = made(url=HOOK, secret_url=True, hashed=["actor.email"], salt=SALT)
    again = made(url=HOOK, secret_url=True, hashed=["actor.email"], salt="b3RoZXI=")
    assert same_as(there, again, Choices(), RULES) is there
    rotating = replace(there, next_secret=b"x", rotation_ends=1, entitled=False)
    assert same_as(rotating, again, Choices(), RULES) is rotating
    for other in ({"url": f"{HOOK}-2", "secret_url": True}, {"url": HOOK}):
        with pytest.raises(AlreadyThere):
            same_as(there, made(hashed=["actor.email"], salt=SALT, **other), Choices(), RULES)


@pytest.mark.parametrize("switch", ["gzip", "asymmetric", "handshake", "manifests"])
def test_a_switch_is_as_it_was_unless_it_is_given(switch: str) -> None:
    on = made(**{switch: True})
    assert getattr(on, switch)
    assert edited(on, description="a", **{switch: UNSET}) == replace(on, description="a")
    assert edited(on, **{switch: True}) is on
    assert not getattr(edited(on, **{switch: False}), switch)


def test_a_format_that_only_a_newer_console_knows_is_left_alone() -> None:
    with pytest.raises(InvalidDestination, match="cloudevents/99 is not known here: upgrade auditcast first"):
        edited(replace(made(), format="cloudevents/99"), description="a")


def test_everything_that_is_sealed_is_sealed_anew() -> None:
    revision = made(url=HOOK, secret_url=True, hashed=["actor.email"], salt=SALT, headers=[("X-Key", "k")])
    places = {"secret": "whsec_AAAA", "next-secret": "whsec_BBBB", "salt": SALT, "url": HOOK}
    revision = replace(revision, next_secret=RULES.sealer.seal("dst_1/next-secret", "whsec_BBBB"), rotation_ends=1)
    newest = Sealer([new_key()])
    again = resealed(revision, RULES.sealer, newest)
    sealed = (again.secret, again.next_secret, again.salt, again.sealed_url)
    assert [newest.open(f"dst_1/{place}", each) for place, each in zip(places, sealed, strict=True)] == [
        *places.values()
    ]
    assert newest.open("dst_1/headers/x-key", again.headers[0].sealed) == "k"
    assert resealed(again, newest, newest) is again
    kept = {"secret": b"", "next_secret": b"", "salt": b"", "sealed_url": b"", "headers": []}
    assert replace(again, **kept) == replace(revision, **kept)
