"""An email as it goes to the mail server. Pure."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import jinja2

from auditcast.deliverers.alerts.page import Page
from auditcast.schemas.records import Revision

SENDER = "auditcast"
"""The name beside the sender's address."""

_templates = jinja2.Environment(
    loader=jinja2.PackageLoader("auditcast.deliverers.alerts"),
    undefined=jinja2.StrictUndefined,
    autoescape=jinja2.select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
)


def text_of(page: Page) -> str:
    """The email as plain text."""
    return _templates.get_template("alert.txt").render(page=page)


def html_of(page: Page) -> str:
    """The email as HTML."""
    return _templates.get_template("alert.html").render(page=page)


def message_id(revision: Revision, number: int, sender: str) -> str:
    """The id of email `number` about a destination: the same after a crash, so that a repeat shows as one message."""
    place = "\0".join((revision.destination, revision.epoch, str(number)))
    return f"<auditcast.{hashlib.sha256(place.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"


def message(page: Page, ids: tuple[str, str], sender: str, to: Sequence[str], now: int) -> EmailMessage:
    """The email from `sender` to usable addresses; `ids` are its own and that of the first about the same outage."""
    own, first = ids
    email = EmailMessage(policy=SMTP)
    email["From"] = Address(SENDER, addr_spec=sender)
    email["To"] = tuple(Address(addr_spec=address) for address in to)
    # Python decodes what others wrote as an encoded word (RFC 2047), and then writes out the line breaks in it.
    email["Subject"] = page.subject.replace("=?", "= ?")
    email["Date"] = format_datetime(datetime.fromtimestamp(now // 1000, UTC))
    email["Message-ID"] = own
    if first != own:
        email["In-Reply-To"] = email["References"] = first
    # RFC 3834: no holiday greetings in answer to this.
    email["Auto-Submitted"] = "auto-generated"
    email.set_content(text_of(page), cte="quoted-printable")
    email.add_alternative(html_of(page), subtype="html", cte="quoted-printable")
    if page.subject.isascii():
        # Else Python begins a longer subject on a line of its own, which some readers show, and some filters dislike.
        email.policy = SMTP.clone(max_line_length=998)
    return email
