"""Apache Kafka's jars: fetched once with Maven into a cache, and the Java to run them."""

import os
import shutil
import subprocess
import tempfile
from importlib.resources import as_file, files
from pathlib import Path
from xml.etree import ElementTree

from auditcast.kafka.local.broker import LocalBrokerFailed

FETCH_TIMEOUT_S = 600


def java() -> str:
    """The Java on the path; Kafka 4 needs 17 or newer."""
    found = shutil.which("java")
    if found is None:
        raise LocalBrokerFailed("Apache Kafka needs Java 17 or newer: install it, or use the embedded broker")
    return found


def fetched() -> Path:
    """The folder with the jars that `pom.xml` names, in `$XDG_CACHE_HOME` (or `~/.cache`); fetched when missing."""
    with as_file(files("auditcast.kafka.local") / "pom.xml") as pom:
        version = _version(pom)
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "auditcast" / f"kafka-{version}"
        if not folder.is_dir():
            _fetch(pom, folder)
    return folder


def _fetch(pom: Path, folder: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise LocalBrokerFailed("Apache Kafka's jars are fetched with Maven: install it, or use the embedded broker")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as scratch:
        jars = Path(scratch) / "jars"
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
        run = subprocess.run(  # noqa: S603  (a command of our own)
            [*command, f"-DoutputDirectory={jars}", "-DincludeScope=runtime"],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=FETCH_TIMEOUT_S,
        )
        if run.returncode != 0:
            tail = "\n".join((run.stdout + run.stderr).splitlines()[-10:])
            raise LocalBrokerFailed(f"Maven could not fetch Apache Kafka's jars:\n{tail}")
        try:
            jars.rename(folder)
        except OSError:
            # Another process fetched them meanwhile; ours go with the scratch folder.
            if not folder.is_dir():
                raise


def _version(pom: Path) -> str:
    version = ElementTree.parse(pom).findtext("{http://maven.apache.org/POM/4.0.0}version")  # noqa: S314  (our own file)
    if version is None:
        raise LocalBrokerFailed(f"{pom} names no version of Apache Kafka")
    return version
