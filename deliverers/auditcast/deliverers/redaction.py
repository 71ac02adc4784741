"""What a person may see of an answer: its beginning, harmless to a terminal, without the destination's credentials.

Some receivers answer with the request that they got, plainly or written as something else. Pure.
"""

import base64
import html
import json
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from urllib.parse import quote, quote_plus

import httpx

SHOWN_BYTES = 1024
"""How much of an answer is kept for people."""

LOOKED_AT = 8 * SHOWN_BYTES
"""Characters that are searched: enough to fill SHOWN_BYTES though credentials are struck out."""

SHORTEST = 6
"""Characters of the shortest text that is struck out; shorter ones occur by chance, and hold no secret."""

STRUCK = b"***"

_MARKUP = re.compile("[&<>]")


def shown(body: bytes, credentials: Sequence[str], url: httpx.URL) -> str:
    """The beginning of `body` for people: no `credentials`, nothing that the path or query of `url` may hold."""
    forms = _forms((*credentials, *_in_url(url))) if len(body) >= SHORTEST else []
    found = body[: 4 * LOOKED_AT]
    low = found.lower()
    for form in forms:
        if form in low:
            found = _without(found, low, form)
            low = found.lower()
    text = found.decode(errors="replace")
    if len(body) > 4 * LOOKED_AT and forms:
        # The end of what was looked at may cut a credential in two.
        text = text[: -len(forms[0])]
    visible = "".join(
        character if character.isprintable() or character == "\n" else "\ufffd" for character in text[:SHOWN_BYTES]
    )
    return visible.encode()[:SHOWN_BYTES].decode(errors="ignore")


def _without(text: bytes, low: bytes, form: bytes) -> bytes:
    """`text` with STRUCK where `form` stands in `low`, which is `text` in lower case."""
    kept, end = [], 0
    while (at := low.find(form, end)) >= 0:
        kept.append(text[end:at])
        end = at + len(form)
    return STRUCK.join((*kept, text[end:]))


@lru_cache(4096)
def _forms(texts: tuple[str, ...]) -> list[bytes]:
    """Everything that `texts` may have been written as, in lower case, the longest first."""
    written = {form for text in texts for form in (text, *_written(text)) if len(form) >= SHORTEST}
    forms = {form.encode().lower() for form in written}
    return sorted(forms, key=lambda form: (-len(form), form))


def _written(text: str) -> Iterator[str]:
    """`text` as the usual encodings have it, in any case."""
    escaped = json.dumps(text)[1:-1]
    yield escaped
    yield escaped.replace("/", "\\/")  # as PHP has it
    yield _MARKUP.sub(lambda sign: f"\\u{ord(sign[0]):04x}", escaped)  # as Go has it
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    marked = html.escape(text)
    yield marked
    yield marked.replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield marked.replace("&#x27;", "&#39;").replace("/", "&#x2F;").replace("=", "&#x3D;").replace("`", "&#x60;")
    for encoded in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield encoded
        yield quote(encoded, safe="")  # a query within a query
    raw = text.encode()
    yield raw.hex()
    for before in range(3):
        # Base64 of anything that contains the text: its letters depend on how many bytes stand before it, modulo 3,
        # but for those at both ends, which hold bits of its neighbours.
        inner = base64.b64encode(bytes(before) + raw).rstrip(b"=").decode()
        inner = inner[(8 * before + 5) // 6 : (8 * (before + len(raw))) // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _in_url(url: httpx.URL) -> Iterator[str]:
    """The path with its query, its longer segments, and the query's values: many receivers keep a token there."""
    yield url.raw_path.decode("ascii")
    yield from (segment for segment in url.path.split("/") if len(segment) >= 2 * SHORTEST)
    yield from url.params.values()
