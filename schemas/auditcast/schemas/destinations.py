"""The rules for a destination's settings; its URL's are in urls.py, those about events in filters.py.

Each function takes what a person wrote and returns it in its one form, or raises `InvalidDestination` with the
setting's name and what to do; no text ever repeats a header's value.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence

import idna

from auditcast.schemas.errors import InvalidDestination
from auditcast.schemas.formats import FORMATS, NEWEST
from auditcast.schemas.formats.base import Format, chosen, no_such_option

MAX_HEADERS = 20
MAX_HEADER_NAME = 128
MAX_HEADER_VALUE = 4096
MAX_HEADERS_TOTAL = 8192
"""Names and values together, in bytes: common servers refuse a request with more than this."""

MAX_BODY_BYTES = 900_000
"""The largest body that the pipeline's own topics take, whatever an intake would."""

MAX_DESCRIPTION = 256
MAX_SCOPE_ID = 256
MAX_ALERT_ADDRESSES = 10
MAX_ADDRESS = 254
WINDOW_EVENTS = range(1, 101)
WINDOW_SECONDS = range(1, 31)

RESERVED = frozenset(
    {"accept", "accept-encoding", "connection", "date", "expect", "host", "keep-alive", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "user-agent"}
)
"""Headers that the system or HTTP itself sets, in lower case."""

RESERVED_PREFIXES = ("ce-", "content-", "proxy-", "webhook-", "x-audit-", "x-webhook-")

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# RFC 5322's dot-atom: no quotes, no comments, nothing that could begin another header, or an encoded word (RFC 2047).
_MAILBOX = re.compile(r"(?=.{1,64}\Z)(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def checked_id(text: str) -> str:
    """A destination's id; it travels in headers and in names of streams."""
    if not _ID.fullmatch(text):
        raise InvalidDestination("id", "has 1 to 64 letters, digits, hyphens and underscores")
    return text


def checked_scope(workspace: str | None, organization: str | None) -> tuple[str | None, str | None]:
    """The workspace or the organization whose events the destination gets: exactly one of them."""
    if (workspace is None) == (organization is None):
        raise InvalidDestination("scope", "give either a workspace or an organization")
    field, text = ("workspace", workspace) if workspace is not None else ("organization", organization)
    if not text or len(text) > MAX_SCOPE_ID or not text.isprintable() or text != text.strip():
        raise InvalidDestination(
            field, f"is an id of 1 to {MAX_SCOPE_ID} characters, no control characters, no space around it"
        )
    return workspace, organization


def checked_description(text: str) -> str:
    """What people call the destination; may be empty."""
    if len(text) > MAX_DESCRIPTION:
        raise InvalidDestination("description", f"has {len(text)} characters, at most {MAX_DESCRIPTION} are allowed")
    if not text.isprintable():
        raise InvalidDestination("description", "holds a line break or another control character: write it on one line")
    return text


def checked_alert_to(texts: Sequence[str]) -> list[str]:
    """Email addresses that alerts go to, each once; domains in lower case, `xn--…` for letters beyond ASCII."""
    found = list(dict.fromkeys(_address(text) for text in texts))
    if len(found) > MAX_ALERT_ADDRESSES:
        raise InvalidDestination(
            "alert to", f"there are {len(found)} addresses, at most {MAX_ALERT_ADDRESSES} are allowed"
        )
    return found


def _address(text: str) -> str:
    mailbox, _, domain = text.rpartition("@")
    try:
        host = idna.encode(domain, uts46=True, std3_rules=True).decode().lower()
    except idna.IDNAError:
        host = ""
    if not _MAILBOX.fullmatch(mailbox) or "." not in host.strip(".") or len(text) > MAX_ADDRESS:
        raise InvalidDestination(
            "alert to", f"{text[:MAX_ADDRESS]!r} is no email address: write it as in ops@example.com"
        )
    return f"{mailbox}@{host.removesuffix('.')}"


def most_events(form: Format) -> int:
    """The most events that a window may hold in the format `form`."""
    return min(WINDOW_EVENTS[-1], form.max_events)


def most_bytes(form: Format) -> int:
    """The largest body in the format `form`."""
    return min(MAX_BODY_BYTES, form.max_body_bytes)


def checked_window_events(number: int, form: Format) -> int:
    """The number of events that closes a window."""
    most = most_events(form)
    if not 1 <= number <= most:
        where = f" in the format {form.name}" if most < WINDOW_EVENTS[-1] else ""
        raise InvalidDestination("window events", f"is {number}, but must be from 1 to {most}{where}")
    return number


def checked_window_seconds(number: int) -> int:
    """The time after which a window closes."""
    if number not in WINDOW_SECONDS:
        raise InvalidDestination("window seconds", f"is {number}, but must be from 1 to {WINDOW_SECONDS[-1]}")
    return number


def newest_format(text: str) -> str:
    """`text` names a format (its newest version is taken) or a version of one, as in `cloudevents/1`."""
    name = NEWEST.get(text, text)
    if name not in FORMATS:
        known = sorted({*NEWEST, *FORMATS})
        near = difflib.get_close_matches(text, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(NEWEST))}"
        raise InvalidDestination("format", f"there is no such format: {hint}")
    return name


def known_format(name: str) -> Format:
    """The format that a revision names: one that a newer console wrote may not be known here."""
    if name not in FORMATS:
        raise InvalidDestination("format", f"{name} is not known here: upgrade auditcast first")
    return FORMATS[name]


def family_of(name: str) -> str:
    """A format without its version."""
    return name.partition("/")[0]


def checked_successor(current: str, text: str) -> str:
    """The format `text`, if a destination of the format `current` may have it: a version of the same one.

    So no batch ever goes to an intake of another format than its own.
    """
    name = newest_format(text)
    if family_of(name) != family_of(current):
        raise InvalidDestination(
            "format",
            f"a destination's format stays {family_of(current)}: add another destination with"
            f" --format {family_of(name)}, then delete this one",
        )
    return name


def checked_options(form: Format, given: Mapping[str, str]) -> dict[str, str]:
    """Those of the options `given` that are not the format's defaults, by name; each is checked."""
    defaults = {option.name: option.default for option in form.options}
    found = chosen(form.options, given)
    return {name: found[name] for name in sorted(found) if found[name] != defaults[name]}


def check_options_known(form: Format, names: Iterable[str]) -> None:
    """Return if the format has options of these names."""
    for name in names:
        if name not in {option.name for option in form.options}:
            raise no_such_option(form.options, name)


def check_required(form: Format, names: Iterable[str]) -> None:
    """Return if `names` of custom headers, in any case, has every one that the intake refuses to do without."""
    given = {name.lower() for name in names}
    for header in form.required_headers:
        if header.name.lower() not in given:
            raise InvalidDestination(
                "headers", f"{form.title} needs the header {header.name}: give it, as in --header '{header.example}'"
            )


def check_gzip(form: Format) -> None:
    """Return if the intake takes packed bodies."""
    if not form.gzip:
        raise InvalidDestination("gzip", f"{form.title} takes no packed bodies: give --no-gzip, or leave it out")


def checked_headers(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Custom headers, (name, value) each. A name may be given once and must not be one that the system sets."""
    if len(pairs) > MAX_HEADERS:
        raise InvalidDestination("headers", f"there are {len(pairs)}, at most {MAX_HEADERS} are allowed")
    seen: set[str] = set()
    for position, (name, value) in enumerate(pairs, 1):
        _check_name(name, position)
        if name.lower() in seen:
            raise InvalidDestination("headers", f"{name} is given twice: give it once")
        seen.add(name.lower())
        _check_value(name, value)
    total = sum(len(name) + len(value) for name, value in pairs)
    if total > MAX_HEADERS_TOTAL:
        raise InvalidDestination("headers", f"have {total} bytes together, at most {MAX_HEADERS_TOTAL} are allowed")
    return list(pairs)


def _check_name(name: str, position: int) -> None:
    # A bad name is not repeated: what stands there may be a credential that slipped.
    if not _TOKEN.fullmatch(name) or len(name) > MAX_HEADER_NAME:
        raise InvalidDestination(
            "headers", f"number {position} has no valid name: use letters, digits and hyphens, as in 'X-Api-Key: value'"
        )
    lower = name.lower()
    if lower in RESERVED or lower.startswith(RESERVED_PREFIXES):
        raise InvalidDestination("headers", f"{name} is set by the system and cannot be overridden: leave it out")


def _check_value(name: str, value: str) -> None:
    if not value:
        raise InvalidDestination("headers", f"{name} has no value: write it as '{name}: value'")
    if len(value) > MAX_HEADER_VALUE:
        raise InvalidDestination(
            "headers", f"{name} has {len(value)} characters, at most {MAX_HEADER_VALUE} are allowed"
        )
    if not _VALUE.fullmatch(value):
        raise InvalidDestination(
            "headers",
            f"the value of {name} holds a line break or another character that HTTP does not allow,"
            " or space around it: use visible ASCII",
        )
