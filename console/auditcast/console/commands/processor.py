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
from auditcast.schemas.sealing import Sealer


@click.command()
def command() -> None:
    """Window events into batches, one hash chain per destination.

    Run one or more, at most as many as there are partitions: they share them out. Settings come from the environment;
    'auditcast settings' lists them.
    """
    settings = read(Settings, os.environ)
    sealer = Sealer([key.reveal() for key in settings.sealing_keys])
    logs.setup()
    for chatty in ("faust", "mode", "aiokafka", "auditcast.processors.transport"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    require(settings.connection, timestamps=settings.timestamps)
    asyncio.run(run(settings.connection, sealer))
