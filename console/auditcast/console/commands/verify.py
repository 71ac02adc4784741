"""`auditcast verify`: what a receiver kept, proved complete and genuine; for auditors, offline."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from auditcast.console.moments import moment
from auditcast.console.options import json_option
from auditcast.console.showing import as_json
from auditcast.console.verifying.findings import UNKNOWN
from auditcast.console.verifying.judging import Asked
from auditcast.console.verifying.keys import Keys, NotAKey, public_keys_in, secrets_in
from auditcast.console.verifying.reading import CannotRead, read
from auditcast.console.verifying.report import Report, lines, shape
from auditcast.console.verifying.settings import Auditing
from auditcast.console.verifying.shapes import KINDS
from auditcast.console.verifying.spool import Spool
from auditcast.console.verifying.verifier import Verifier
from auditcast.kafka.settings import read as read_settings
from auditcast.schemas.errors import AuditcastError

MOST_KEYS = 1024 * 1024
"""The largest file of keys that is read."""


class CannotTell(click.ClickException):
    """Nothing was proved, neither way; 1 and 2 as exit codes would say something else."""

    exit_code = UNKNOWN

    def show(self, file: Any = None) -> None:
        """One sentence."""
        click.echo(f"auditcast: {self.message}", file=file, err=True)


class _Verify(click.Command):
    """A command whose errors all end with 3."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as misuse:
            misuse.exit_code = UNKNOWN
            raise

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as misuse:
            misuse.exit_code = UNKNOWN
            raise
        except AuditcastError as error:
            raise CannotTell(str(error)) from None
        except OSError as problem:
            raise CannotTell(f"no work can be done here: {problem.strerror or 'input or output failed'}") from None
        except MemoryError:
            raise CannotTell("there is not enough memory: verify fewer files at a time") from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as fault:  # noqa: BLE001  (a traceback ends with 1, and that says that something is missing)
            raise CannotTell(f"auditcast has a fault, please report it: {type(fault).__name__}: {fault}") from None


@click.command(cls=_Verify)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option("--as", "kind", type=click.Choice(KINDS), help="What the input is. [default: what it looks like]")
@click.option("--secret-file", "secret_files", multiple=True, metavar="FILE", help="Secrets (whsec_…), one a line.")
@click.option("--public-key", "keys", multiple=True, metavar="whpk_…", help="A public key of the platform.")
@click.option("--public-keys", "key_files", multiple=True, metavar="FILE", help="Several: one a line, or a JWKS.")
@click.option("--manifests", multiple=True, metavar="FILE", help="What 'auditcast manifests export' wrote.")
@click.option("--destination", default="", metavar="ID", help="Everything must be of this destination.")
@click.option("--from", "first", type=click.IntRange(1), default=1, help="The first batch that should be here.")
@click.option("--to", "last", type=click.IntRange(1), help="The last one; what lies after it is not looked at.")
@click.option("--begins-later", is_flag=True, help="Only the newest part was kept: begin where each stream begins.")
@click.option("--until", metavar="TIME", help="The end must be proved until then, or it counts as missing.")
@click.option(
    "--numbers-only", is_flag=True, help="Of stored events look only at the numbers, if a store changed them."
)
@json_option
def command(  # noqa: PLR0913  (click's options)
    *,
    paths: tuple[str, ...],
    kind: str | None,
    secret_files: tuple[str, ...],
    keys: tuple[str, ...],
    key_files: tuple[str, ...],
    manifests: tuple[str, ...],
    destination: str,
    first: int,
    last: int | None,
    begins_later: bool,
    until: str | None,
    numbers_only: bool,
    json_: bool,
) -> None:
    """Prove from what a receiver kept that nothing is missing, changed or contradictory.

    A PATH is a folder of NAME.body and NAME.headers; or a file of JSON lines: deliveries with headers and body, bodies,
    events, manifests, or an export of Datadog, Splunk or Elastic; or - for standard input. Works offline.

    Secrets can also stand in AUDITCAST_SECRET. Without a secret or a public key no signature is looked at.

    \b
    Exit codes:
      0  complete and genuine
      1  something is missing, or its end is not proved though there are manifests
      2  something is altered, forged, contradictory or out of place
      3  cannot tell: input that cannot be read, or wrong usage
    """
    asked = Asked(
        first=first,
        last=last or 0,
        begins_later=begins_later,
        until=moment(until, time.time_ns() // 1_000_000) if until else 0,
        destination=destination,
        numbers_only=numbers_only,
    )
    if last is not None and last < first:
        raise click.UsageError("--to is before --from.")
    secrets = [secret for file in secret_files for secret in secrets_in(_text(file))]
    secrets += [secret.reveal() for secret in read_settings(Auditing, os.environ).secret]
    public_keys = [*keys, *(key for file in key_files for key in public_keys_in(_text(file)))]
    if secret_files and not secrets:
        raise NotAKey("there is no secret in the file: put one on a line of its own, as it was shown, with whsec_")
    spool = Spool()
    try:
        verifier = Verifier(asked, Keys(secrets, public_keys), spool)
        for path in paths:
            for item in read(path, kind or ""):
                verifier.take(item)
        for path in manifests:
            for item in read(path, "manifests"):
                verifier.take(item)
        report = Report(verifier.findings(), verifier.seen, len(public_keys))
    finally:
        spool.close()
    _print(as_json(shape(report)) if json_ else "\n".join(lines(report)))
    sys.exit(report.exit)


def _text(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MOST_KEYS).decode()
    except OSError as problem:
        raise CannotRead(f"{path} cannot be read: {(problem.strerror or 'it is damaged').lower()}") from None
    except UnicodeDecodeError:
        raise NotAKey(f"{path} holds no keys: they are text") from None


def _print(text: str) -> None:
    """`text` on standard output; a reader that has gone must not change the exit code."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
