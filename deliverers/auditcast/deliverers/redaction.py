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

STRUCK = "***"

_ESCAPE = re.compile("%..")


def shown(body: bytes, credentials: Sequence[str], url: httpx.URL) -> str:
    """The beginning of `body` for people: no `credentials`, nothing that the path or query of `url` may hold."""
    forms = _forms((*credentials, *_in_url(url))) if len(body) >= SHORTEST else []
    text = body[: 4 * LOOKED_AT].decode(errors="replace")
    for form in forms:
        text = text.replace(form, STRUCK)
    if len(body) > 4 * LOOKED_AT and forms:
        # The end of what was looked at may cut a credential in two.
        text = text[: -len(forms[0])]
    visible = "".join(
        character if character.isprintable() or character == "\n" else "\ufffd" for character in text[:SHOWN_BYTES]
    )
    return visible.encode()[:SHOWN_BYTES].decode(errors="ignore")


@lru_cache(4096)
def _forms(texts: tuple[str, ...]) -> list[str]:
    """Everything that `texts` may have been written as, the longest first."""
    forms = {form for text in texts for form in (text, *_written(text)) if len(form) >= SHORTEST}
    return sorted(forms, key=lambda form: (-len(form), form))


def _written(text: str) -> Iterator[str]:
    """`text` as the usual encodings have it."""
    yield json.dumps(text)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")  # as PHP has it
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield html.escape(text)
    for encoded in (quote(text, safe=""), quote(text), quote_plus(text)):
        yield encoded
        yield _ESCAPE.sub(lambda escape: escape[0].lower(), encoded)
    raw = text.encode()
    yield raw.hex()
    yield raw.hex().upper()
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
