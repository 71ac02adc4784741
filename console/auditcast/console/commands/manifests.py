"""`auditcast manifests`: what each stream held, hour by hour, signed; for auditors, and for who shows them."""

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import click
import msgspec

from auditcast.console import shelf
from auditcast.console.letter_options import When
from auditcast.console.letter_showing import count
from auditcast.console.manifest_showing import each_table, shape, streams_table, summed
from auditcast.console.moments import second_text
from auditcast.console.options import json_option
from auditcast.console.proofs import Proofs
from auditcast.console.reading_aloud import ReadingAloud
from auditcast.console.settings import Signing
from auditcast.console.showing import as_json
from auditcast.console.tables import render
from auditcast.kafka.keyrings import signer_of
from auditcast.kafka.settings import Connection, read, variable
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Manifest


class NoManifests(AuditcastError):
    """There are none of those that were asked for."""


@click.group("manifests")
def command() -> None:
    """Show the signed manifests of each stream, or write them out for 'auditcast verify'."""


def which(of: Callable[..., None]) -> Callable[..., None]:
    """The options that say which manifests are meant."""
    since = "Only those that end after then: 2025-01-15T10:30Z, or an age: 7d."
    of = click.option("--since", type=When(), help=since)(of)
    of = click.option("--stream", metavar="NAME", help="Only of this stream.")(of)
    return click.option("--destination", metavar="ID", help="Only of this destination.")(of)


@command.command("list")
@which
@click.option("--each", is_flag=True, help="List single manifests, with what they note.")
@json_option
def list_(*, each: bool, json_: bool, **given: Any) -> None:
    """List the streams, and until when the end of each is proved."""
    found = _found(**given)
    if each:
        manifests = list(found)
        shapes, table = [shape(manifest) for manifest in manifests], each_table(manifests)
    else:
        sums = summed(found)
        shapes, table = [shape(summary) for summary in sums], streams_table(sums)
    if json_:
        click.echo(as_json(shapes))
    else:
        click.echo(render(table) if shapes else "There are no such manifests.\n", nl=False)


@command.command("export")
@which
@click.option(
    "--output", type=click.File("wb", lazy=False), default="-", help="The file to write; else standard output."
)
def export(*, output: BinaryIO, since: int | None, **given: Any) -> None:
    """Write manifests as JSON lines, by stream and time, and check signatures, digests and chains on the way.

    Whether the platform signed is known from AUDITCAST_SEALING_KEYS, and AUDITCAST_SIGNING_KEYS if that is in use;
    without them the keys that signed are only named. Everything is written, whatever is wrong with it; the exit code is
    1 then.
    """
    proofs = Proofs(_public_keys(), whole=since is None)
    faults = 0
    for manifest in _found(since=since, **given):
        for sentence in proofs.take(manifest):
            faults += 1
            click.echo(f"auditcast: {sentence}", err=True)
        output.write(msgspec.json.encode(manifest) + b"\n")
    output.flush()
    if not proofs.count:
        raise NoManifests("there are no such manifests: see 'auditcast manifests list'")
    for sentence in _sentences(proofs, faults):
        click.echo(sentence, err=True)
    if faults:
        sys.exit(1)


def _found(*, destination: str | None, stream: str | None, since: int | None) -> Iterator[Manifest]:
    wanted = shelf.Wanted(destination=destination, stream=stream, since=since or 0)
    return shelf.manifests(read(Connection, os.environ), wanted, ReadingAloud())


def _public_keys() -> list[str]:
    """The platform's, if this process has what they follow from."""
    if not os.environ.get(variable("sealing_keys")):
        return []
    settings = read(Signing, os.environ)
    return signer_of(settings.signing_keys, settings.sealing_keys).public_keys


def _sentences(proofs: Proofs, faults: int) -> Iterator[str]:
    for manifest in proofs.cut:
        yield f"Of {manifest.stream} what was before {second_text(manifest.since)} is not kept any more."
    sum_ = f"{count(proofs.count, 'manifest')} of {count(proofs.streams, 'stream')}"
    if faults:
        yield f"{sum_} written, and NOT all is right with them: {count(faults, 'fault')}."
    else:
        yield f"{sum_} written, all genuine and without a gap; signed by {', '.join(sorted(proofs.keys))}."
