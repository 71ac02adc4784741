"""The umbrella command: finds subcommands, sets up logging, turns errors into one sentence."""

import importlib
import logging
import os
import pkgutil
import sys

import click

from auditcast.console import commands
from auditcast.console.variables import misspelled
from auditcast.schemas.errors import AuditcastError

FAILED = 1
"""Exit code of a command that could not do its work; click's own misuse is 2."""


class _Subcommands(click.Group):
    """Imports a subcommand only when it is called, so that `emit` need not load a stream processor."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        found: click.Command = module.command
        return found


@click.group(cls=_Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="auditcast", message="auditcast %(version)s")
def auditcast() -> None:
    """Carry audit events from Kafka to customers' own systems, signed, in order, provably complete."""
    for sentence in misspelled(os.environ):
        click.echo(f"auditcast: {sentence}", err=True)


def main() -> None:
    """Run `auditcast`; every error that a person can cause ends in one sentence on standard error."""
    # Libraries log what they also raise; without this, a command that sets up no logging would say it twice.
    logging.getLogger("auditcast").addHandler(logging.NullHandler())
    try:
        # Not standalone, click returns the code of `ctx.exit(code)` instead of raising it.
        ended = auditcast(prog_name="auditcast", standalone_mode=False)
        sys.exit(ended if isinstance(ended, int) else 0)
    except click.ClickException as misuse:
        misuse.show()
        sys.exit(misuse.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except AuditcastError as error:
        click.echo(f"auditcast: {error}", err=True)
        sys.exit(FAILED)
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone; keep Python from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
