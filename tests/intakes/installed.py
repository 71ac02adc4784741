"""Receivers that others wrote, fetched once into a cache: Loki from its Go module, OpenSearch from Maven Central."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

OPENSEARCH = "2.19.3"
LOKI = "3.7.8"

HERE = Path(__file__).parent


class Missing(Exception):
    """What installs a receiver is not there, or could not."""


def loki() -> Path:
    """Loki's program; building it takes a core for about eight minutes, and 5 GB of Go's own caches."""
    return _cached(f"loki-{LOKI}", _build_loki) / "loki"


def opensearch() -> Path:
    """The folder of OpenSearch's smallest distribution."""
    return _cached(f"opensearch-{OPENSEARCH}", _fetch_opensearch) / f"opensearch-{OPENSEARCH}"


def _cached(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, made when it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auditcast" / "intakes"
    folder = cache / name
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="making-") as scratch:
            made = Path(scratch) / name
            made.mkdir()
            make(made)
            made.rename(folder)
    return folder


def _build_loki(folder: Path) -> None:
    # Its sums are checked with the public checksum database; a file of them would be two thousand lines of our own.
    shutil.copy(HERE / "loki" / "go.mod", folder)
    package = "github.com/grafana/loki/v3/cmd/loki"
    _run(["go", "build", "-p", "1", "-o", "loki", package], folder, {"GOFLAGS": "-mod=mod -buildvcs=false"})


def _fetch_opensearch(folder: Path) -> None:
    artifact = f"org.opensearch.distribution.integ-test-zip:opensearch:{OPENSEARCH}:zip"
    _run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={artifact}", f"-DoutputDirectory={folder}"], folder, {})
    [packed] = folder.glob("*.zip")
    shutil.unpack_archive(packed, folder)
    packed.unlink()


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise Missing(f"{command[0]} is not installed")
    run = subprocess.run(  # noqa: S603  (a command of our own)
        [program, *command[1:]],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_gently,
    )
    if run.returncode:
        tail = "\n".join((run.stdout + run.stderr).splitlines()[-10:])
        raise Missing(f"{command[0]} could not install what is asked for:\n{tail}")


def _gently() -> None:
    os.nice(10)
