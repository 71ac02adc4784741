"""`auditcast keys`: the keys that seal what is secret, and those that sign for everybody to verify."""

import os
import sys
from collections.abc import Iterator, Sequence

import click
import msgspec

from auditcast.console.options import json_option
from auditcast.console.registry import Registry
from auditcast.console.rotation import Rotated, rotate
from auditcast.console.settings import Destinations, Signing
from auditcast.console.showing import as_json
from auditcast.kafka.differences import DAY_MS, specs
from auditcast.kafka.keyrings import signer_of
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import read
from auditcast.schemas.records import Revision
from auditcast.schemas.sealing import new_key
from auditcast.schemas.signing_keys import new_signing_key, web_key


@click.group("keys")
def command() -> None:
    """Make keys, bring new ones in, and show what is public of them."""


@command.command("new")
@click.option("--signing", is_flag=True, help="For AUDITCAST_SIGNING_KEYS.")
def new(*, signing: bool) -> None:
    """Print a fresh key for AUDITCAST_SEALING_KEYS, or with --signing one for AUDITCAST_SIGNING_KEYS.

    The first sealing key of the list seals, all of them open. To rotate, append the new key for every process, and only
    once all run with it put it first: a process that lacks a key cannot open what another has sealed with it. Then run
    'auditcast keys rotate'.

    The first signing key signs, the others are only published: publish a new one as the last, and once everybody has
    fetched it put it first.
    """
    click.echo(new_signing_key() if signing else new_key())


@command.command("public")
@click.option("--json", "json_", is_flag=True, help="Print a JSON Web Key Set, to be published as a file.")
def public(*, json_: bool) -> None:
    """Print the public halves of the signing keys, with which anybody verifies manifests and v1a signatures.

    The first is of the key that signs. Without AUDITCAST_SIGNING_KEYS they follow from the sealing keys.
    """
    settings = read(Signing, os.environ)
    signer = signer_of(settings.signing_keys, settings.sealing_keys)
    if json_:
        click.echo(as_json({"keys": [web_key(key) for key in signer.public_keys]}))
    else:
        for key in signer.public_keys:
            click.echo(key)
    if not settings.signing_keys:
        click.echo(
            "auditcast: AUDITCAST_SIGNING_KEYS is not set, so these change whenever the first sealing key does",
            err=True,
        )


@command.command("rotate")
@json_option
def rotate_(*, json_: bool) -> None:
    """Seal all that the destinations keep secret anew with the first key of AUDITCAST_SEALING_KEYS.

    Run it once every process has been started with that key. It may be interrupted and repeated. Each destination gets
    a new revision, so its open windows close a little earlier; nothing else changes.
    """
    settings = read(Destinations, os.environ)
    keys = [key.reveal() for key in settings.sealing_keys]
    with Registry(settings.connection) as registry:
        rotated = rotate(registry, keys, _progress)
    for broken in sorted(registry.unreadable):
        click.echo(f"auditcast: the record of {broken!r} cannot be read: see who wrote it, or upgrade", err=True)
    if json_:
        click.echo(as_json(msgspec.to_builtins(rotated)))
    else:
        click.echo(_told(rotated))
        if rotated.complete and len(keys) > 1:
            click.echo(_when_to_drop(Topics(settings.connection.topic_prefix)))
    if not rotated.complete:
        sys.exit(1)


def _progress(revisions: Sequence[Revision]) -> Iterator[Revision]:
    with click.progressbar(revisions, label="Sealing", file=sys.stderr, hidden=not sys.stderr.isatty()) as shown:
        yield from shown


def _told(rotated: Rotated) -> str:
    count = len(rotated.resealed)
    lines = [
        f"{count} {'destination is' if count == 1 else 'destinations are'} sealed anew with the first key,"
        f" {rotated.current} {'was' if rotated.current == 1 else 'were'} so already."
    ]
    for each in rotated.unopened:
        name = f"{each.destination} (deleted)" if each.deleted else each.destination
        lines.append(f"{name} is left as it was: {each.problem}.")
    return "\n".join(lines)


def _when_to_drop(topics: Topics) -> str:
    events = specs(topics)[0]
    days = int(events.must["retention.ms"]) // DAY_MS
    return (
        f"Keep the other keys in the list for {days} days from when the last process was started with this key first"
        f" (longer if {events.name} keeps its records longer): until then that topic holds records signed with them."
    )
