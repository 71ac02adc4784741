"""`auditcast alerts`: emails to the owners of destinations that fail."""

import asyncio
import os

import click

from auditcast.console import logs, metrics
from auditcast.deliverers.alerts.app import run
from auditcast.deliverers.alerts.metrics import Metrics
from auditcast.deliverers.alerts.settings import Settings
from auditcast.kafka.settings import read


@click.command()
def command() -> None:
    """Send alert emails about destinations that fail, and pause those that do nothing but fail.

    Run one or more: they share the destinations out. Settings come from the environment: 'auditcast settings'.
    """
    settings = read(Settings, os.environ)
    logs.setup()
    counted = Metrics()
    with metrics.shown(counted.registry):
        asyncio.run(run(settings, counted))
