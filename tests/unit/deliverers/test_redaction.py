"""What a receiver says about a request must not give its credentials away to who reads the topics."""

import base64
import html
import json
import re
import urllib.parse
from collections.abc import Callable

import httpx
import pytest

from auditcast.deliverers.redaction import LOOKED_AT, SHOWN_BYTES, shown

SECRET = 'Sé+cr/et "hunter2"=&<>'
URL = httpx.URL("https://siem.example.com/services/T0000000000AAAAAA/x?token=hush-hush&v=1")


@pytest.mark.parametrize(
    "written",
    [
        str,
        json.dumps,
        lambda text: json.dumps(text).replace("/", r"\/"),
        lambda text: json.dumps(text, ensure_ascii=False),
        html.escape,
        lambda text: urllib.parse.quote(text, safe=""),
        urllib.parse.quote_plus,
        lambda text: re.sub("%..", lambda escape: escape[0].lower(), urllib.parse.quote_plus(text)),
        lambda text: urllib.parse.quote(urllib.parse.quote_plus(text), safe=""),
        lambda text: text.upper().replace("É", "é"),
        lambda text: urllib.parse.quote(text).lower(),
        lambda text: json.dumps(text).replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e"),
        lambda text: html.escape(text).replace("&quot;", "&#34;"),
        lambda text: html.escape(text).replace("/", "&#x2F;").replace("=", "&#x3D;"),
        lambda text: text.encode().hex(),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.b64encode(f"Authorization: {text}\r\n".encode()).decode(),
        lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
        lambda text: base64.urlsafe_b64encode(f"xy{text}".encode()).decode().rstrip("="),
        lambda text: repr({"a": text}),
    ],
)
def test_no_usual_form_of_a_credential_is_shown(written: Callable[[str], str]) -> None:
    form = written(SECRET)
    assert shown(f"got [{form}] from you".encode(), [SECRET], URL).startswith("got [")
    left = shown(form.encode(), [SECRET], URL)
    assert "***" in left
    assert len(left) < len(form) / 2 + 8


def test_neither_is_what_the_url_may_hold() -> None:
    text = shown(f"no {URL.raw_path.decode()} and {URL} here, T0000000000AAAAAA; hush-hush! v=1".encode(), [], URL)
    assert text == "no *** and https://siem.example.com*** here, ***; ***! v=1"


@pytest.mark.parametrize("before", [0, SHOWN_BYTES - 5, 4 * LOOKED_AT - 5, 4 * LOOKED_AT - 9])
def test_a_credential_that_something_cuts_in_two_does_not_show_its_beginning(before: int) -> None:
    credential = "correct-horse-battery"
    for filler in (b"x", b"correct-horse-battery"):
        body = (filler * (before // len(filler) + 1))[-before:] if before else b""
        assert "corr" not in shown(body + credential.encode() * 50, [credential], URL)


def test_what_is_shown_is_short_and_harmless_to_a_terminal() -> None:
    assert shown(b"\x1b[2J\x00a\r\nb\xe2\x80\xaec\xff", [], URL) == "��[2J��a�\nb�c�".replace("��", "�")
    assert len(shown("é".encode() * 5000, [], URL).encode()) <= SHOWN_BYTES
    assert shown(b"", ["x" * 10], URL) == ""
