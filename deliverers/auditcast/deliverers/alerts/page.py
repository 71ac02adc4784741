"""What an email says, before it is laid out as text and as HTML. Plain data, all of it fit to be seen."""

from typing import Literal

from msgspec import Struct

from auditcast.deliverers.alerts.answers import Answer

Tone = Literal["bad", "warn", "good"]


class Fact(Struct, frozen=True):
    """One line of the table: what, its value, and more about it in a quieter voice; the value may lead somewhere."""

    label: str
    value: str
    more: str = ""
    link: str = ""


class Step(Struct, frozen=True):
    """Something to do, with the command for it, if there is one."""

    text: str
    command: str = ""


class Page(Struct, frozen=True, kw_only=True):
    """One email. `label` says in a word how it stands; `preview` is what mailboxes show beside the subject."""

    subject: str
    label: str
    tone: Tone
    title: str
    preview: str
    lead: tuple[str, ...]
    facts: tuple[Fact, ...]
    answer: Answer | None
    answered: str
    steps: tuple[Step, ...]
    link: str
    footer: tuple[str, ...]
