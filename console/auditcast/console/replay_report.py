"""What a replay has done, or would do: as sentences for people and as JSON for scripts (docs/replaying.md)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from auditcast.console.letter_showing import count
from auditcast.console.records_again import Appended
from auditcast.console.replaying import Course, Run
from auditcast.console.sending import Ending
from auditcast.console.showing import printable


class Report(Struct, frozen=True, kw_only=True):
    """One replay. `noun` names what was sent: a letter, or a batch. `refused` counts, by the reason, what was not.

    `parts` are letters that parts of batches have left, which were too large for their receiver.
    """

    run: Run
    ending: Ending
    noun: tuple[str, str] = ("letter", "letters")
    again: Appended | None = None
    refused: Mapping[str, int] = {}
    missing: Sequence[str] = ()
    parts: int = 0

    def total(self, name: str) -> int:
        """The sum of one of the numbers of all destinations."""
        return sum(getattr(course, name) for course in self.run.courses.values())

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for has been delivered, or is in the log again."""
        unsent = self.total("failed") + self.total("left")
        return self.ending is Ending.FINISHED and not (unsent or self.refused or self.parts or self.missing)


def shape(report: Report) -> dict[str, Any]:
    """The report as JSON has it."""
    again = report.again or Appended()
    return {
        "run": report.run.id,
        "ending": report.ending.value,
        "delivered": report.total("delivered"),
        "failed": report.total("failed"),
        "left": report.total("left"),
        "elsewhere": report.total("elsewhere") + again.elsewhere,
        "appended_again": again.again,
        "new_letters_of_parts": report.parts,
        "refused": [{"why": why, "count": number} for why, number in report.refused.items()],
        "missing": list(report.missing),
        "destinations": [
            {
                "destination": destination,
                "delivered": course.delivered,
                "failed": course.failed,
                "left": course.left,
                "elsewhere": course.elsewhere,
                "given_up": course.given_up,
                "last_failure": course.why or None,
            }
            for destination, course in report.run.courses.items()
        ],
    }


def sentences(report: Report) -> Iterator[str]:
    """The report in lines."""
    if report.run.courses:
        yield _sum(report)
    for destination, course in report.run.courses.items():
        if course.failed:
            yield _failures(destination, course, report)
    if report.parts:
        yield f"{count(report.parts, 'part')} of batches that were too large for their receiver failed: new letters."
    if report.again is not None:
        again = report.again.again
        yield (
            f"{count(again, 'record')} appended again, and the {'letter' if again == 1 else 'letters'} removed:"
            " what can still not be read becomes a new letter, under its new place."
        )


def not_sent(refused: Mapping[str, int], noun: tuple[str, str]) -> list[str]:
    """A sentence for each reason for which something is not sent."""
    return [f"{count(number, *noun)} left as before: {printable(why)}" for why, number in refused.items()]


def _sum(report: Report) -> str:
    one, many = report.noun
    parts = [f"{count(report.total('delivered'), one, many)} delivered"]
    parts += [
        f"{report.total(name):,} {words}"
        for name, words in (
            ("failed", "failed again" if one == "letter" else "failed, which the deliverer retries on its schedule"),
            ("left", "left as before"),
            ("elsewhere", "settled by somebody else, or expired, meanwhile"),
        )
        if report.total(name)
    ]
    return f"{', '.join(parts)} (run {report.run.id})."


def _failures(destination: str, course: Course, report: Report) -> str:
    told = f"{printable(destination)}: {course.failed:,} failed, the last with {printable(course.why)}"
    if course.given_up and course.waiting:
        told += f"; after so many in a row the rest of its {report.noun[1]}, {len(course.waiting):,}, was not tried"
    return f"{told}."
