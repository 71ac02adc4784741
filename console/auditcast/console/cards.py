"""Destinations as people see them: a line each, as on the product's settings page, or one of them in full."""

from collections.abc import Iterable, Iterator, Mapping

from rich.table import Table
from rich.text import Text

from auditcast.console.ago import ago, span
from auditcast.console.diagnosis import advice
from auditcast.console.setting_lines import counted, scope_text, setting_lines, url_text
from auditcast.console.showing import printable
from auditcast.console.statuses import LeftOut, state_of
from auditcast.console.telling import FAILING
from auditcast.schemas.attributes import time_text
from auditcast.schemas.records import Attempt, Revision, Status

STYLES = {
    "active": "green", "failing": "red", "paused": "yellow", "gone": "red", "not-entitled": "red", "disabled": "dim",
    "deleted": "dim",
}  # fmt: skip

ANSWER_SHOWN = 200
"""Characters of an answer that are shown."""


def table(
    revisions: Iterable[Revision], statuses: Mapping[str, Status], now: int, remarks: Mapping[str, str] | None = None
) -> Table:
    """One destination after the other, at `now` in ms; stacked, so that it can be read on 80 columns.

    `remarks` are about some of them, by their ids.
    """
    lines = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 1, 1))
    lines.add_column("Destination", overflow="fold")
    for title in ("Last delivery", "State", "Backlog"):
        lines.add_column(title, no_wrap=True)
    lines.add_column("Dead letters\never", justify="right")
    for revision in revisions:
        status = statuses.get(revision.destination)
        state = state_of(revision, status)
        remark = (remarks or {}).get(revision.destination, "")
        described = (printable(revision.description), url_text(revision), scope_text(revision), remark)
        lines.add_row(
            Text("\n").join((Text(revision.destination, "bold"), *map(Text, filter(None, described)))),
            _last(status, now).replace(" (", "\n("),
            Text(state, STYLES[state]),
            _backlog(status, now).replace(", ", "\n"),
            str(status.dead_letters) if status else "0",
        )
    return lines


def card(revision: Revision, status: Status | None, left_out: LeftOut, now: int, remark: str = "") -> Table:
    """One destination, a line a setting, and then how it fares at `now` in ms; `remark` is why it is not entitled."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")
    lines.add_row("Id", revision.destination)
    lines.add_row("State", _condition(revision, status, remark))
    for title, value in (*setting_lines(revision, now), *_fortune(revision, status, left_out, now)):
        lines.add_row(title, value)
    return lines


def _fortune(revision: Revision, status: Status | None, left_out: LeftOut, now: int) -> Iterator[tuple[str, str]]:
    yield "Last delivery", _last(status, now)
    if status is not None:
        if status.last is not None:
            yield "Last answer", _answer(status.last)
            if status.failures:
                yield "What to do", printable(advice(status.last, revision)) or "-"
        if status.failures:
            yield "Failures in a row", f"{status.failures}{_since(status.failing_since, now)}"
        if status.last_success is not None and status.failures:
            yield "Last success", _when(status.last_success, now)
        yield "Backlog", _backlog(status, now)
        if status.parked:
            events = counted(status.parked_events, "event")
            yield "Parked", f"{counted(status.parked, 'batch', 'batches')}, {events}{_since(status.parked_since, now)}"
        for each in sorted(status.delivered, key=lambda each: each.stream):
            yield "Newest delivered", f"{printable(each.stream)}: sequence {each.sequence}"
        yield "Dead letters ever", _dead_letters(status, now)
    if left_out.events:
        left = f"{counted(left_out.events, 'event')} while disabled or not entitled, counted"
        yield "Not collected", f"{left}{_since(left_out.since, now)}"
    if status is not None:
        yield "As of", _when(status.at, now)


def _condition(revision: Revision, status: Status | None, remark: str) -> str:
    state, name = state_of(revision, status), revision.destination
    match state:
        case "gone":
            return f"gone: the receiver answered 410; 'auditcast destinations enable {name}' tries again"
        case "paused":
            by = "paused"
            if revision.because == FAILING:
                by = "paused by auditcast: nothing but failures"
                if status and status.last and status.failing_since is not None:
                    by += f" for {_words(status.last.at - status.failing_since)}"
            return f"{by}; 'auditcast destinations resume {name}' ends it"
        case "not-entitled":
            paused = "; and paused" if revision.paused else ""
            return f"{remark or 'not entitled'}; events are not collected, only counted{paused}"
        case "disabled" if revision.paused:
            return "disabled, and paused"
        case "failing" if status and status.open:
            return "failing: single batches are tried, and the others wait"
    return state


def _last(status: Status | None, now: int) -> str:
    if status is None or status.last is None:
        return "never"
    return f"{ago(status.last.at, now)}{' (failed)' if status.failures else ''}"


def _backlog(status: Status | None, now: int) -> str:
    if status is None or not (status.waiting or status.parked):
        return "-"
    batches = counted(status.waiting + status.parked, "batch", "batches")
    return batches if status.parked_since is None else f"{batches}, {span(now - status.parked_since)}"


def _answer(attempt: Attempt) -> str:
    parts = [f"status {attempt.status}" if attempt.status is not None else "none", f"{attempt.latency_ms} ms"]
    parts += filter(None, (attempt.error, attempt.detail))
    shown = printable(", ".join(parts))
    if attempt.answer:
        shown += f": {printable(attempt.answer[:ANSWER_SHOWN])}{'…' if len(attempt.answer) > ANSWER_SHOWN else ''}"
    return shown


def _dead_letters(status: Status, now: int) -> str:
    if not status.dead_letters or status.last_dead_letter is None:
        return str(status.dead_letters)
    return f"{status.dead_letters}, the newest {ago(status.last_dead_letter, now)}: {printable(status.last_reason)}"


def _when(ms: int, now: int) -> str:
    return f"{time_text(ms)} ({ago(ms, now)})"


def _since(ms: int | None, now: int) -> str:
    return "" if ms is None else f" since {_when(ms, now)}"


def _words(ms: int) -> str:
    """A duration in words, for a sentence."""
    days, hours = ms // 86_400_000, ms // 3_600_000
    return counted(days, "day") if days else counted(hours, "hour") if hours else span(ms)
