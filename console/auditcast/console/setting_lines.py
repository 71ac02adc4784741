"""What a destination is set to, in lines of a title and a value, for people. Nothing secret is among it."""

from collections.abc import Iterable, Iterator

from auditcast.console.ago import span
from auditcast.console.moments import second_text
from auditcast.console.showing import options_shape, printable
from auditcast.schemas.attributes import time_text
from auditcast.schemas.formats import FORMATS
from auditcast.schemas.records import Revision


def setting_lines(revision: Revision, now: int) -> Iterator[tuple[str, str]]:
    """All settings, at `now` in ms."""
    yield "For", scope_text(revision)
    yield "Description", printable(revision.description) or "-"
    yield "URL", url_text(revision)
    yield "Headers", _listed(header.name for header in revision.headers)
    yield "Alerts to", _listed(revision.alert_to)
    yield "Format", _format(revision)
    yield "Options", _listed(f"{name}={value}" for name, value in options_shape(revision).items())
    yield "Filters", "; ".join(_filters(revision)) or "-"
    yield "Redacted", "; ".join(_redacted(revision)) or "-"
    yield "Window", f"{counted(revision.window_events, 'event')} or {revision.window_ms // 1000} s"
    yield "Signatures", "HMAC-SHA256, and Ed25519 (v1a)" if revision.asymmetric else "HMAC-SHA256"
    if revision.next_secret:
        yield "Rotation", _rotation(revision, now)
    yield "Besides", _listed(_extras(revision))
    yield "Base URL", printable(revision.base_url)
    yield "Type prefix", printable(revision.type_prefix)
    yield "Revision", f"{revision.number}, written {time_text(revision.changed_at)}"


def scope_text(revision: Revision) -> str:
    """Whose events it gets."""
    if revision.workspace is not None:
        return f"workspace {printable(revision.workspace)}"
    return f"organization {printable(revision.organization or '?')}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 batch`, `2 batches`."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def url_text(revision: Revision) -> str:
    """The URL, or of one that is a credential its origin."""
    return printable(revision.url) + (" (sealed)" if revision.sealed_url else "")


def _format(revision: Revision) -> str:
    form = FORMATS.get(revision.format)
    return f"{revision.format} ({form.title})" if form else f"{printable(revision.format)} (not known here)"


def _filters(revision: Revision) -> Iterator[str]:
    if revision.categories:
        yield f"category {' or '.join(map(printable, revision.categories))}"
    if revision.actions:
        yield f"action {' or '.join(map(printable, revision.actions))}"
    if revision.outcome:
        yield f"outcome {printable(revision.outcome)}"


def _redacted(revision: Revision) -> Iterator[str]:
    if revision.dropped:
        yield f"left out: {_listed(revision.dropped)}"
    if revision.hashed:
        yield f"hashed: {_listed(revision.hashed)}"


def _rotation(revision: Revision, now: int) -> str:
    if now >= revision.rotation_ends:
        return f"ended at {second_text(revision.rotation_ends)}: only the new secret counts"
    return (
        f"ends at {second_text(revision.rotation_ends)} (in {span(revision.rotation_ends - now)}): both secrets count"
    )


def _extras(revision: Revision) -> Iterator[str]:
    extras = {"gzip": revision.gzip, "handshake": revision.handshake, "manifests": revision.manifests}
    return (name for name, on in extras.items() if on)


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(printable, texts)) or "-"
