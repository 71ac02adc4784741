"""`auditcast processor`: events in, batches out."""

import asyncio
import logging
import os

import click

from auditcast.console import logs
from auditcast.kafka.settings import read
from auditcast.kafka.topics import require
from auditcast.processors.app import run
from auditcast.processors.settings import Settings


@click.command()
def command() -> None:
    """Window events into batches, one hash chain per destination.

    Run as many as there are partitions; they share them out. Settings come from the environment: 'auditcast settings'.
    """
    settings = read(Settings, os.environ)
    logs.setup()
    for library in ("faust", "mode", "aiokafka"):
        logging.getLogger(library).setLevel(logging.WARNING)
    require(settings.connection, timestamps=settings.timestamps)
    asyncio.run(run(settings))
