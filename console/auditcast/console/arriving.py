"""What `add` waits for if asked: that the destination is in force, and gets what it missed."""

import os
import time
from collections.abc import Callable
from typing import Any

import click
from msgspec import Struct

from auditcast.console.backfill_report import Report, sentences, shape
from auditcast.console.backfilling import fill, timeout_option
from auditcast.console.in_force import Reach, Standing, partitions_of
from auditcast.console.moments import FORMS, moment, second_text
from auditcast.console.refilling import Asked
from auditcast.console.settings import Destinations
from auditcast.kafka.settings import Connection, read
from auditcast.kafka.topics import partitions as count_partitions
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Revision


class Wish(Struct, frozen=True):
    """What a person asked for beside the adding; `timeout` in seconds."""

    wait: bool
    asked: Asked | None
    timeout: float


class Arrival(Struct):
    """What came of it so far: filled in step by step, so that what was done is known whatever fails."""

    reach: Reach | None = None
    report: Report | None = None


def arrival_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that `wish` takes."""
    since = f"Deliver what happened from then on, too: {FORMS}."
    command = timeout_option(command)
    command = click.option("--since", metavar="TIME", help=since)(command)
    return click.option("--wait", is_flag=True, help="Return once it is in force.")(command)


def wish(*, wait: bool, since: str | None, timeout: float, disabled: bool) -> Wish:
    """What was asked for; raises `NoMoment`, and click's error for what cannot be had together."""
    if since is not None and disabled:
        raise click.UsageError("A disabled destination misses everything until it is enabled: backfill it then.")
    now = time.time_ns() // 1_000_000
    return Wish(wait, None if since is None else Asked(since=moment(since, now), until=None, now=now), timeout)


def arrive(revision: Revision, wished: Wish, arrival: Arrival) -> None:
    """Do what was wished, and put into `arrival` what came of it; raises `NotInForce`, and as `fill` does."""
    settings = read(Destinations, os.environ)
    if wished.wait or wished.asked is not None:
        arrival.reach = in_force(settings.connection, revision, wished.timeout)
    if wished.asked is not None:
        arrival.report = fill(settings, revision, wished.asked, wished.timeout)


def in_force(connection: Connection, revision: Revision, timeout: float | None = None) -> Reach:
    """How far a revision has come; waits until it is everywhere if there is a `timeout`."""
    partitions = partitions_of(revision, count_partitions(connection))
    with Standing(connection, revision.destination) as standing:
        if timeout is None:
            return standing.reach(revision, partitions)
        return standing.wait(revision, partitions, timeout)


def arrival_shape(wished: Wish, arrival: Arrival) -> dict[str, Any]:
    """What JSON has of it, if anything was wished."""
    told: dict[str, Any] = {}
    if wished.wait or wished.asked is not None:
        told["in_force"] = arrival.reach and reach_shape(arrival.reach)
    if wished.asked is not None:
        told["backfill"] = arrival.report and shape(arrival.report)
    return told


def arrival_lines(arrival: Arrival) -> list[str]:
    """The same for people."""
    reached = [] if arrival.reach is None else [f"In force {reach_text(arrival.reach)}."]
    return reached + ([] if arrival.report is None else sentences(arrival.report))


def reach_shape(reach: Reach) -> dict[str, Any]:
    """A reach as JSON has it."""
    since = reach.since if reach.everywhere else None
    return {"partitions": reach.partitions, "of": reach.of, "since": None if since is None else time_text(since)}


def reach_text(reach: Reach) -> str:
    """Since when, or how far."""
    if reach.everywhere and reach.since is not None:
        return f"since {second_text(reach.since)}"
    return "not yet" if reach.of == 1 else f"in {reach.partitions} of {reach.of} partitions"
