"""`python -m tests.chaos`: harm done at random to a whole pipeline, and the proof that nothing was lost."""

import asyncio
import secrets
import sys
import tempfile
from pathlib import Path

import click
import msgspec

from auditcast.schemas.errors import AuditcastError
from tests.chaos.report import text
from tests.chaos.run import Options, run


@click.command()
@click.option("--seconds", type=click.FloatRange(5, 3600), default=60, show_default=True, help="How long harm is done.")
@click.option("--seed", type=int, help="Decides what is done, and when. [default: drawn, and printed]")
@click.option("--rate", type=click.FloatRange(10, 50_000), default=500, show_default=True, help="Events a second.")
@click.option("--nodes", type=click.IntRange(1, 3), default=3, show_default=True, help="Brokers in the cluster.")
@click.option("--logs", type=click.Path(file_okay=False, path_type=Path), help="Where the workers' logs are kept.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def main(seconds: float, seed: int | None, rate: float, nodes: int, logs: Path | None, *, as_json: bool) -> None:
    """Harm to workers, brokers, the network between them, and receivers; exit code 0 if nothing is lost."""
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    logs = logs or Path(tempfile.mkdtemp(prefix=f"auditcast-chaos-{seed}-"))
    logs.mkdir(parents=True, exist_ok=True)
    click.echo(f"seed {seed}, logs in {logs}", err=True)
    try:
        report = asyncio.run(run(Options(seconds, seed, rate, nodes, logs), lambda line: click.echo(line, err=True)))
    except AuditcastError as error:
        raise click.ClickException(str(error)) from None
    as_bytes = msgspec.json.encode({"good": report.good, **msgspec.structs.asdict(report)})
    (logs / "report.json").write_bytes(as_bytes)
    click.echo(as_bytes.decode() if as_json else text(report))
    sys.exit(0 if report.good else 1)


if __name__ == "__main__":
    main()
