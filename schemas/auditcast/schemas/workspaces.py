"""The rules for what is known of a workspace, and when it is entitled.

Each function takes what a person wrote and returns it in its one form, or raises `InvalidWorkspace` with the field's
name and what to do. An empty text is no value, except for the id.
"""

import re
from collections.abc import Iterable, Sequence

from auditcast.schemas.destinations import MAX_SCOPE_ID, checked_alert_to
from auditcast.schemas.errors import InvalidDestination, InvalidWorkspace

MAX_NAME = 100
MAX_SLUG = 64
MAX_PLAN = 64
MAX_URL = 2048

_SLUG = re.compile(r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")
_PLAN = re.compile(r"[a-z0-9](?:[a-z0-9 ._-]*[a-z0-9])?")
# A link in an email: nothing in it that ends an attribute, and no user name that passes for a host.
_URL = re.compile(
    r"https://[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9._~!$&()*+,;=:@/?#%-]*)?"
)


def checked_workspace(text: str) -> str:
    """A workspace's id, as events name it."""
    return _identity("id", text)


def checked_organization(text: str) -> str | None:
    """The id of the organization that it belongs to; None for none."""
    return _identity("organization", text) if text else None


def checked_name(text: str) -> str:
    """What people call it."""
    if len(text) > MAX_NAME or not text.isprintable():
        raise InvalidWorkspace("name", f"has at most {MAX_NAME} characters, no line breaks or control characters")
    return text.strip()


def checked_slug(text: str) -> str:
    """Its short name in URLs."""
    if text and (len(text) > MAX_SLUG or not _SLUG.fullmatch(text)):
        raise InvalidWorkspace("slug", f"has at most {MAX_SLUG} letters and digits, '-', '_' or '.' between them")
    return text


def checked_url(text: str) -> str:
    """Where people find it; emails link there, nothing is ever sent to it."""
    if text and not is_link(text):
        raise InvalidWorkspace(
            "url",
            f"must begin with https:// and a host, have no spaces or quotes, and at most {MAX_URL} characters,"
            " as in https://platform.example.com/workspaces/acme",
        )
    return text


def checked_plan(text: str) -> str:
    """The plan that it is on, in lower case."""
    plan = text.strip().lower()
    if plan and (len(plan) > MAX_PLAN or not _PLAN.fullmatch(plan)):
        raise InvalidWorkspace(
            "plan", f"has at most {MAX_PLAN} letters and digits, between them spaces, '-', '_' or '.'"
        )
    return plan


def checked_owners(texts: Sequence[str]) -> list[str]:
    """The email addresses of its owners, each once."""
    try:
        return checked_alert_to(texts)
    except InvalidDestination as error:
        raise InvalidWorkspace("owner", error.problem) from None


def is_link(url: str) -> bool:
    """Whether `url` may stand in an email; checked at its registration, too, but anybody may write to the topic."""
    return len(url) <= MAX_URL and _URL.fullmatch(url) is not None


def forwards(plan: str, entitled_plans: Iterable[str]) -> bool:
    """Whether a workspace on `plan` ("": none) is entitled to have its events forwarded."""
    return not plan or plan in {each.strip().lower() for each in entitled_plans}


def _identity(field: str, text: str) -> str:
    if not text or len(text) > MAX_SCOPE_ID or not text.isprintable() or text != text.strip():
        raise InvalidWorkspace(
            field, f"is an id of 1 to {MAX_SCOPE_ID} characters, no control characters, no space around it"
        )
    return text
