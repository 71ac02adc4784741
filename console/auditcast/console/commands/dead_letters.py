"""`auditcast dead-letters`: what could not be delivered or read, for the operators who bring it back."""

import getpass
import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import click

from auditcast.console import letter_card, letter_desk, replay_shell
from auditcast.console.letter_desk import Desk
from auditcast.console.letter_options import deliberate, filter_options, filters
from auditcast.console.letter_showing import count, group_shape, groups_table, letter_shape, letters_table, plan_shape
from auditcast.console.letters import Letter, groups
from auditcast.console.mailbag import NoSuchLetter
from auditcast.console.options import json_option
from auditcast.console.replay_plan import Plan, planned
from auditcast.console.replay_report import not_sent
from auditcast.console.resolving import Statement, of_chain
from auditcast.console.resolving import resolve as resolve_letters
from auditcast.console.sending import Limits
from auditcast.console.settings import Destinations
from auditcast.console.showing import as_json, printable
from auditcast.console.tables import render
from auditcast.kafka.keyrings import sealer_of
from auditcast.kafka.settings import Connection, read
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.sealing import Sealer

all_option = click.option("--all", "all_", is_flag=True, help="All letters.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


class NothingToSend(AuditcastError):
    """None of the letters can be sent again as things are."""


@click.group("dead-letters")
def command() -> None:
    """See what could not be delivered or read, send it again, or call it settled."""


@command.command("list")
@filter_options
@click.option("--each", is_flag=True, help="List single letters, not their sums by destination.")
@json_option
def list_(*, each: bool, json_: bool, **given: Any) -> None:
    """List what is owed, summed up by destination."""
    with _opened() as desk:
        found = desk.chosen(filters(**given))
    for broken in sorted(desk.mailbag.unreadable):
        click.echo(f"auditcast: the letter {printable(broken)} cannot be read: upgrade, or see who wrote it", err=True)
    if json_ and each:
        click.echo(as_json([letter_shape(letter, desk.revision(letter.destination)) for letter in found]))
    elif json_:
        click.echo(as_json([group_shape(group, desk.revision(group.destination)) for group in groups(found)]))
    elif not found:
        click.echo("There are no such dead letters." if any(given.values()) else "There are no dead letters.")
    elif each:
        click.echo(render(letters_table(found, _now())), nl=False)
    else:
        _show_groups(desk, found)


@command.command("show")
@click.argument("key")
@json_option
def show(*, key: str, json_: bool) -> None:
    """Show one letter: what failed, every attempt, and the events that are owed."""
    with _opened() as desk:
        letter = desk.mailbag.get(key)
        whole = desk.mailbag.whole(letter)
    if whole is None:
        raise NoSuchLetter(f"{key} was settled just now")
    revision = desk.revision(letter.destination)
    if json_:
        click.echo(as_json(letter_card.shape(letter, whole, revision)))
    else:
        click.echo(render(letter_card.card(letter, whole, revision)), nl=False)


@command.command("replay")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@filter_options
@all_option
@yes_option
@replay_shell.replay_options
@json_option
def replay(  # noqa: PLR0913  (its options)
    *, keys: tuple[str, ...], all_: bool, yes: bool, dry_run: bool, rate: float | None, timeout: float, json_: bool,
    **given: Any,
) -> None:  # fmt: skip
    """Send letters again, by KEY or by what they have in common; each is settled once its delivery is acknowledged.

    Deliverers send them, with one attempt each. It may be interrupted at any time, and run again.
    """
    wanted = deliberate(keys, given, all_=all_)
    with _opened() as desk:
        found = desk.chosen(wanted)
        plan = planned(found, desk.revision)
        if json_ and (dry_run or not found):
            click.echo(as_json(plan_shape(plan)))
        elif not found:
            click.echo("There are no such dead letters.")
        elif not json_:
            _show_groups(desk, found)
            for sentence in not_sent({why: len(letters) for why, letters in plan.refused.items()}, LETTERS):
                click.echo(f"auditcast: {sentence}", err=True)
        if found and not (plan.items or plan.again):
            raise NothingToSend(f"none of these can be sent again: {'; '.join(plan.refused)}")
        if dry_run and found and not json_:
            click.echo(f"{_sum(plan)} would be sent again.")
        if dry_run or not found:
            return
        replay_shell.confirm(f"Send {_sum(plan)} again?", yes=yes)
        report = desk.replay(plan, Limits(rate=rate, patience_s=timeout))
    replay_shell.end(desk.connection, report, timeout=timeout, json_=json_)


@command.command("resolve")
@click.argument("keys", metavar="[KEY]...", nargs=-1)
@filter_options
@all_option
@click.option("--because", required=True, metavar="TEXT", help="Why nothing is owed any more; kept on record.")
@click.option("--operator", help="Who says so, if not the user of this machine.")
@yes_option
@json_option
def resolve(  # noqa: PLR0913  (its options)
    *, keys: tuple[str, ...], all_: bool, because: str, operator: str | None, yes: bool, json_: bool, **given: Any
) -> None:
    """Call letters settled, by KEY or by what they have in common, without sending them.

    For letters of batches it needs AUDITCAST_SEALING_KEYS: the next manifest of each stream says who settled what, and
    why.
    """
    wanted = deliberate(keys, given, all_=all_)
    statement = Statement(by=operator or getpass.getuser(), because=because, at=_now())
    statement.check()
    with _opened() as desk:
        found = desk.chosen(wanted)
    sealer = _sealer() if any(map(of_chain, found)) else None
    if found:
        if not json_:
            _show_groups(desk, found)
        replay_shell.confirm(f"Call {count(len(found), 'letter')} settled for ever, without sending?", yes=yes)
        resolve_letters(desk.connection, found, statement, sealer)
    if json_:
        click.echo(as_json({"resolved": [letter.key for letter in found]}))
    else:
        click.echo(f"{count(len(found), 'letter')} resolved." if found else "There are no such dead letters.")


LETTERS = ("letter", "letters")


def _sealer() -> Sealer:
    return sealer_of(read(Destinations, os.environ).sealing_keys)


def _opened() -> AbstractContextManager[Desk]:
    return letter_desk.opened(read(Connection, os.environ))


def _show_groups(desk: Desk, letters: Sequence[Letter]) -> None:
    click.echo(render(groups_table(groups(letters), desk.revision, _now())), nl=False)


def _sum(plan: Plan) -> str:
    parts = []
    if plan.items:
        events = count(sum(item.events for item in plan.items), "event")
        destinations = count(len({item.destination for item in plan.items}), "destination")
        parts.append(f"{count(len(plan.items), *LETTERS)} ({events}) to {destinations}")
    if plan.again:
        parts.append(f"{count(len(plan.again), 'unreadable record')} into the log")
    return " and ".join(parts)


def _now() -> int:
    return time.time_ns() // 1_000_000
