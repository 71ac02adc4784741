"""`auditcast trace`: where an event is, and what became of it for each destination."""

import os
import time

import click

from auditcast.console.evidence import Gatherer
from auditcast.console.moments import FORMS, moment, second_text
from auditcast.console.options import json_option
from auditcast.console.reading_aloud import ReadingAloud
from auditcast.console.registry import Registry
from auditcast.console.seeking import Question, seek
from auditcast.console.showing import as_json
from auditcast.console.sightings import Sighting
from auditcast.console.trace_report import Trace, lines, shape
from auditcast.console.tracing import fate
from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, read
from auditcast.schemas.errors import AuditcastError
from auditcast.schemas.records import Revision


class NotFound(AuditcastError):
    """No record holds the event."""


@click.command("trace")
@click.argument("event", metavar="EVENT_ID")
@click.option("--workspace", help="It is of this workspace: read only that part of the log.")
@click.option("--since", metavar="TIME", help=f"It was emitted then or later: {FORMS}.")
@json_option
def command(*, event: str, workspace: str | None, since: str | None, json_: bool) -> None:
    """Tell where the event is, and for each destination its batch, each attempt and answer, or why it was not sent."""
    now = time.time_ns() // 1_000_000
    connection = read(Connection, os.environ)
    question = Question(event, workspace, None if since is None else moment(since, now))
    said = ReadingAloud()
    seen = seek(connection, question, said)
    if not seen:
        raise NotFound(_not_found(question, connection))
    # Of several the first that lies right counts: a later one is the same moved again, or emitted again.
    place = next((each for each in seen if each.at_home), seen[0])
    with Registry(connection) as registry:
        concerned = [revision for revision in registry.all() if _concerns(revision, place)]
    found = Gatherer(connection, said).evidence(event, place, concerned)
    trace = Trace(
        event, Topics(connection.topic_prefix).events, seen, [(each, fate(each, place, now)) for each in found]
    )
    click.echo(as_json(shape(trace)) if json_ else "\n".join(lines(trace)))


def _concerns(revision: Revision, seen: Sighting) -> bool:
    if revision.workspace is not None:
        return revision.workspace == seen.workspace
    return revision.organization is not None and revision.organization == seen.organization


def _not_found(question: Question, connection: Connection) -> str:
    where = Topics(connection.topic_prefix).events
    narrowed = ""
    if question.workspace is not None:
        narrowed += f" in the partition of workspace {question.workspace}"
    if question.since is not None:
        narrowed += f" since {second_text(question.since)}"
    wider = " ask without --workspace and --since," if narrowed else ""
    return (
        f"{where} holds no event {question.event!r}{narrowed}:{wider} see whether it is older than the log (7 days"
        " unless the topic is set otherwise), or lies under another AUDITCAST_TOPIC_PREFIX, or was never emitted"
    )
