"""`auditcast deliverer`: batches out to the customers' HTTPS endpoints."""

import asyncio
import os

import click

from auditcast.console import logs, metrics
from auditcast.deliverers.app import run
from auditcast.deliverers.metrics import Metrics
from auditcast.deliverers.settings import Settings
from auditcast.kafka.settings import read


@click.command()
def command() -> None:
    """Deliver batches to their destinations, signed, in order.

    Run as many as there are partitions; they share them out. Settings come from the environment: 'auditcast settings'.
    """
    settings = read(Settings, os.environ)
    logs.setup()
    counted = Metrics()
    with metrics.shown(counted.registry):
        asyncio.run(run(settings, counted))
