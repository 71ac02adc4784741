"""A destination's settings: what passes means one thing to every parser; what does not says why in a sentence."""
# ruff: noqa: RUF001  (look-alikes are what is tested here)

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import httpx
import pytest
import yarl
from hypothesis import example, given
from hypothesis import strategies as st

from auditcast.deliverers.request import headers
from auditcast.schemas.destinations import (
    check_gzip,
    check_required,
    checked_alert_to,
    checked_description,
    checked_headers,
    checked_id,
    checked_options,
    checked_scope,
    checked_successor,
    checked_window_events,
    checked_window_seconds,
    known_format,
    newest_format,
)
from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.formats.base import RequiredHeader
from auditcast.schemas.formats.cloudevents import CloudEvents
from auditcast.schemas.networks import forbidden, networks
from auditcast.schemas.records import Batch
from auditcast.schemas.urls import MAX_URL, normal_url, origin_of

NORMAL = {
    "HTTPS://SIEM.Example.com:443": "https://siem.example.com/",
    "https://siem.example.com.:8443/a?b=c%20d": "https://siem.example.com:8443/a?b=c%20d",
    "https://bücher.example/": "https://xn--bcher-kva.example/",
    "https://раураl.com/": "https://xn--l-7sba6dbr.com/",
    "https://ⓔxample。com/": "https://example.com/",
    "https://faß.de": "https://xn--fa-hia.de/",
    "https://8.8.8.8?q": "https://8.8.8.8/?q",
    "https://[2606:4700:4700:0::1111]:8443/x": "https://[2606:4700:4700::1111]:8443/x",
}

REFUSED = [
    *("", "siem.example.com", "http://siem.example.com", "https://", "https:///a", "https://:8443/", "//a.example"),
    *("https://a:b@siem.example.com", "https://1:2@[::1]:9876", "https://@a.example", "https://a.example\\@b.example"),
    *("https://a.example/#top", "https://a.example/ü", "https://a.example/%zz", "https://a.example/a/../b"),
    *("https://a.example/%2E%2e/b", "https://a.example/a b", "https://a.example/\r\nX-A: b", "https://a.example/\x00"),
    *("https://a.example:0", "https://a.example:", "https://a.example:22", "https://a.example:80"),
    *("https://a.example:65536", "https://a.example:８443", "https://a.example:-1", "https://a.example:9092"),
    *("https://127.0.0.1", "https://127.0.0.1.", "https://127.0.0.1。", "https://１２７.0.0.1", "https://127。0。0。1"),
    *("https://2130706433", "https://0x7f.1", "https://127.1", "https://0177.0.0.1", "https://256.1.1.1"),
    *("https://0x7f000001", "https://1.2.3.4.5", "https://a.0x1", "https://169.254.169.254/latest/meta-data"),
    *("https://[::1]", "https://[::ffff:7f00:1]", "https://[fe80::1%25eth0]", "https://[::1", "https://[a.example]"),
    *("https://localhost", "https://a.localhost.", "https://metadata.google.internal", "https://printer.local"),
    *("https://a_b.example", "https://a..example", "https://a.example..", "https://-a.example", "https://%31.example"),
    *(f"https://{'a' * 64}.example", f"https://{'a.' * 130}example", f"https://a.example/{'a' * MAX_URL}"),
]


@pytest.mark.parametrize(("text", "url"), NORMAL.items())
def test_a_url_gets_one_form(text: str, url: str) -> None:
    assert normal_url(text) == url


@pytest.mark.parametrize("text", REFUSED)
def test_a_url_that_is_no_public_https_url_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(InvalidDestination) as caught:
        normal_url(text)
    assert caught.value.field == "url"
    assert "\n" not in str(caught.value)


def test_private_hosts_are_the_operators_to_allow() -> None:
    allowed = networks(["127.0.0.0/8"])
    assert normal_url("https://127.0.0.1:8443", allowed) == "https://127.0.0.1:8443/"
    assert normal_url("https://localhost:8443", allowed) == "https://localhost:8443/"
    with pytest.raises(InvalidDestination, match="AUDITCAST_ALLOWED_NETWORKS"):
        normal_url("https://10.0.0.1", allowed)


PIECES = (
    "https:// HTTPS:/ http:// @ : / \\ ? # [ ] . .. %2e %00 %31 。 \t \r\n 127.0.0.1 0x7f.1 2130706433 [::1] "
    "[2606:4700::1] ::ffff:127.0.0.1 localhost a.example xn--bcher-kva ü ⓔ ß １ :443 :8443 :0 :22 a "
    "b= & ; ' ( ~ - _ 8.8.8.8 10.0.0.1"
)
url_pieces = st.sampled_from(PIECES.split(" "))


@given(st.lists(url_pieces | st.text(max_size=3), max_size=8).map("".join).map("https://{}".format) | st.text())
@example("https://a.example/?")
@example("https://a.example//b.example/?a?b/../c")
@example("https://xn--bcher-kva.xn--zzzzz")
def test_whatever_url_passes_means_one_public_host_to_every_parser(text: str) -> None:
    try:
        url = normal_url(text)
    except InvalidDestination:
        return
    assert re.fullmatch(r"https://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{3,4})?/[\x21-\x7e]*", url)
    assert normal_url(url) == url
    stdlib, of_httpx, of_yarl = urlsplit(url), httpx.URL(url), yarl.URL(url, encoded=True)
    host = stdlib.hostname
    assert host == of_httpx.raw_host.decode() == of_yarl.raw_host
    assert (stdlib.port or 443) == (of_httpx.port or 443) == of_yarl.port
    assert of_yarl.raw_path_qs.encode() == of_httpx.raw_path
    assert str(of_httpx) == str(of_yarl) == url
    assert not of_yarl.user
    if re.fullmatch(r"[0-9.]+|.*:.*", host or ""):
        assert forbidden(host or "") is None


@given(st.lists(st.tuples(st.text(max_size=12) | st.just("X-A"), st.text(max_size=12)), max_size=4))
def test_whatever_headers_pass_are_one_line_each(pairs: list[tuple[str, str]]) -> None:
    try:
        passed = checked_headers(pairs)
    except InvalidDestination:
        return
    for name, value in passed:
        httpx.Headers({name: value})
        assert re.fullmatch(rb"[!-~]+", name.encode())
        assert re.fullmatch(rb"[\t\x20-\x7e]+", value.encode())
        assert value == value.strip()
    assert len({name.lower() for name, _ in passed}) == len(passed)


SYSTEMS = (
    "Content-Type content-length Host USER-AGENT Transfer-Encoding Connection X-Webhook-Signature X-Webhook-Id "
    "webhook-id WebHook-Request-Origin X-Audit-Digest Proxy-Authorization TE ce-id"
)


@pytest.mark.parametrize("name", SYSTEMS.split())
def test_what_the_system_sets_cannot_be_overridden(name: str) -> None:
    with pytest.raises(InvalidDestination, match=f"{name} is set by the system"):
        checked_headers([(name, "x")])


def test_every_header_of_a_delivery_is_the_systems() -> None:
    batch = Batch(
        id="a-1", destination="dst_1", revision_number=1, revision_nonce="", stream="a", sequence=1, first_event=1,
        last_event=1, partition=0, first_offset=0, last_offset=0, opened=0, format="cloudevents/1", gap="-",
        body_sha256="", previous_digest="", digest="", body=b"[]",
    )  # fmt: skip
    for name, _ in headers(batch, custom=[], key=b"", content_type="application/json", agent="a", now=0):
        with pytest.raises(InvalidDestination, match="set by the system"):
            checked_headers([(name, "x")])


def test_authorization_is_allowed() -> None:
    assert checked_headers([("Authorization", "Bearer a b")]) == [("Authorization", "Bearer a b")]


@pytest.mark.parametrize(
    "pairs",
    [
        [("Bearer s3cr3t", "x")],
        [("", "s3cr3t")],
        [("X-A", "s3cr3t\r\nX-B: c")],
        [("X-A", "s3cr3t\x00")],
        [("X-A", "s3cr3t ")],
        [("X-A", "s3cr3tü")],
        [("X-A", "s3cr3t"), ("x-a", "s3cr3t")],
        [("X-A", "s3cr3t" * 1000)],
        [("X-A", "")],
        [(f"X-{n}", "s3cr3t") for n in range(21)],
        [(f"X-{n}", "s3cr3t" * 500) for n in range(3)],
    ],
)
def test_a_header_with_a_slip_is_refused_without_its_value(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidDestination) as caught:
        checked_headers(pairs)
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


class Small(CloudEvents):
    """An intake that takes little, and asks for much."""

    title = "Small Intake"
    max_events = 20
    gzip = False
    required_headers = (RequiredHeader("X-Api-Key", "X-Api-Key: KEY"),)


SMALL = Small("cloudevents/1")


@pytest.mark.parametrize(
    ("check", "bad", "good"),
    [
        (lambda number: checked_window_events(number, SMALL), (0, 21), (1, 20)),
        (lambda number: checked_window_events(number, FORMATS["cloudevents/2"]), (0, 101), (1, 100)),
        (checked_window_seconds, (0, 31), (1, 30)),
        (checked_id, ("", "a.b", "a/b", "ä", "a" * 65, "a\n"), ("dst_1",)),
        (checked_description, ("a\nb", "\x1b[2J", "a" * 257, "\udcff"), ("", "Our SIEM, Zürich")),
        (newest_format, ("cloudevent", "cloudevents/9", "xml", ""), ("cloudevents", "cloudevents/1")),
    ],
)
def test_other_settings_have_bounds(check: Callable[[object], object], bad: tuple[object], good: tuple[object]) -> None:
    for value in bad:
        with pytest.raises(InvalidDestination):
            check(value)
    for value in good:
        check(value)


@pytest.mark.parametrize("scope", [(None, None), ("ws_1", "org_1"), ("", None), (None, " org"), ("a\n", None)])
def test_a_destination_has_exactly_one_scope(scope: tuple[str | None, str | None]) -> None:
    with pytest.raises(InvalidDestination):
        checked_scope(*scope)


def test_what_an_intake_cannot_do_without_is_told_with_an_example() -> None:
    check_required(SMALL, ["x-api-key"])
    with pytest.raises(InvalidDestination, match=r"Small Intake needs the header X-Api-Key: .* --header 'X-Api-Key: K"):
        check_required(SMALL, ["Authorization"])
    with pytest.raises(InvalidDestination, match="Small Intake takes no packed bodies"):
        check_gzip(SMALL)


def test_options_are_kept_only_where_they_differ_from_the_defaults() -> None:
    form = FORMATS["cloudevents/2"]
    assert checked_options(form, {"content_type": "json"}) == {}
    assert checked_options(form, {"content_type": "batch"}) == {"content_type": "batch"}
    for wrong in ({"content_type": "xml"}, {"colour": "blue"}):
        with pytest.raises(InvalidDestination):
            checked_options(form, wrong)


def test_a_destination_keeps_its_format_and_may_have_another_version_of_it() -> None:
    assert checked_successor("cloudevents/1", "cloudevents") == "cloudevents/2"
    assert checked_successor("cloudevents/2", "cloudevents/1") == "cloudevents/1"
    with pytest.raises(InvalidDestination, match="add another destination with --format datadog, then delete this one"):
        checked_successor("cloudevents/1", "datadog")
    with pytest.raises(InvalidDestination, match="upgrade auditcast first"):
        known_format("cloudevents/99")


def test_of_a_secret_url_only_the_origin_is_seen() -> None:
    assert origin_of(normal_url("https://hooks.example.com:8443/services/T0/B0?token=a")) == (
        "https://hooks.example.com:8443"
    )
    assert origin_of(normal_url("https://[2606:4700::1111]/s3cr3t")) == "https://[2606:4700::1111]"


def test_a_format_is_named_or_nearly_so() -> None:
    assert newest_format("cloudevents") == "cloudevents/2"
    with pytest.raises(InvalidDestination, match="did you mean cloudevents"):
        newest_format("cloudevent")


@pytest.mark.parametrize(
    "text",
    [
        *("", "ops", "@example.com", "ops@", "ops@example", "ops@.example.com", "a@b@example.com", "ops@example..com"),
        *("ops @example.com", "ops@example.com ", "ops@example.com\r\nBcc: b@example.com", '"o p s"@example.com'),
        *(
            "Ops <ops@example.com>",
            "ops@example.com,b@example.com",
            ".ops@example.com",
            "ops@[127.0.0.1]",
            "=?utf-8?q?=0D=0AX=3Ay?=@example.com",
            "ö@example.com",
        ),
        *("ö@example.com", f"{'a' * 65}@example.com", f"ops@{'a' * 64}.com", f"ops@{'a.' * 126}com"),
    ],
)
def test_what_is_no_email_address_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidDestination) as caught:
        checked_alert_to([text])
    assert str(caught.value).isprintable()
    assert "as in ops@example.com" in str(caught.value)


def test_email_addresses_have_one_form_and_stand_once() -> None:
    given = ["ops+audit@EXAMPLE.com", "ops+audit@example.com.", "Ops@bücher.example"]
    assert checked_alert_to(given) == ["ops+audit@example.com", "Ops@xn--bcher-kva.example"]
