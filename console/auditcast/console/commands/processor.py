"""`auditcast processor`: events in, batches out."""

import asyncio
import logging
import os

import click

from auditcast.console import logs, metrics
from auditcast.console.calm import Calm
from auditcast.kafka.keyrings import sealer_of, signer_of
from auditcast.kafka.settings import read
from auditcast.kafka.topics import require
from auditcast.processors.app import run
from auditcast.processors.keys import Keys
from auditcast.processors.metrics import Metrics
from auditcast.processors.settings import Settings

LIBRARIES = ("faust", "mode", "aiokafka")
REPEAT_SECONDS = 10.0
"""While a broker is away, aiokafka says so many times a second."""


@click.command()
def command() -> None:
    """Window events into batches, one hash chain per destination.

    Run one or more, at most as many as there are partitions: they share them out. Settings come from the environment;
    'auditcast settings' lists them.
    """
    settings = read(Settings, os.environ)
    keys = Keys(sealer_of(settings.sealing_keys), signer_of(settings.signing_keys, settings.sealing_keys))
    logs.setup()
    for chatty in (*LIBRARIES, "auditcast.processors.transport"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Calm(LIBRARIES, REPEAT_SECONDS))
    counted = Metrics()
    with metrics.shown(counted.registry):
        require(settings.connection, timestamps=settings.timestamps)
        asyncio.run(run(settings.connection, keys, counted))
