"""Each finding in one sentence, for people. Pure."""

from collections.abc import Callable, Mapping

from auditcast.console.letter_showing import count
from auditcast.console.moments import second_text
from auditcast.console.showing import printable
from auditcast.console.verifying.findings import Finding, Kind
from auditcast.schemas.errors import AuditcastError


def sentence(finding: Finding) -> str:
    """What it says, without the stream's name."""
    where = f" ({printable(finding.where)})" if finding.where else ""
    return _SENTENCES[finding.kind](finding) + where


def _complete(finding: Finding) -> str:
    batches = _range("batch", "batches", finding.first, finding.last)
    events = _range("event", "events", finding.first_event, finding.last_event)
    return f"{batches} ({events}), opened from {_time(finding.since)} until {_time(finding.until)}"


def _missing(finding: Finding) -> str:
    batches = _range("batch", "batches", finding.first, finding.last)
    if not finding.last_event:
        return f"{batches}; which events they held is not known"
    return f"{batches}, owed are {_range('event', 'events', finding.first_event, finding.last_event)}"


def _incomplete(finding: Finding) -> str:
    if not finding.last_event:
        return f"batch {finding.sequence} may lack its beginning, as the batch before it is not here; or it was changed"
    return f"batch {finding.sequence} lacks {_range('event', 'events', finding.first_event, finding.last_event)}"


def _noted(finding: Finding) -> str:
    events = _range("event", "events", finding.first_event, finding.last_event)
    by = f" by {printable(finding.by)}" if finding.by else ""
    because = f": {printable(finding.because)}" if finding.because else ""
    return f"batch {finding.sequence} ({events}) was {printable(finding.note)}{by} on {_time(finding.at)}{because}"


def _unproved(finding: Finding) -> str:
    if not finding.until:
        return "no manifest that counts tells of this stream, so its end is not proved"
    return (
        f"its manifests say that batch {finding.last} was the last one by {_time(finding.until)}; this is too early,"
        " or no public key was given: ask for newer ones, and for the platform's key"
    )


def _unattested(finding: Finding) -> str:
    batches = _range("batch", "batches", finding.first, finding.last)
    return (
        f"no manifest vouches for {batches}, and no signature there was looked at: whoever holds the copy could have"
        " made that; ask for newer manifests, or only for proof --until the newest one"
    )


def _ended(finding: Finding) -> str:
    return f"it ended on {_time(finding.until)} with {_batch_or_none(finding.last)}"


def _proved(finding: Finding) -> str:
    return f"until {_time(finding.until)} the last one was {_batch_or_none(finding.last)}"


def _batch_or_none(sequence: int) -> str:
    return f"batch {sequence}" if sequence else "none at all"


def _of(text: str) -> Callable[[Finding], str]:
    def fill(finding: Finding) -> str:
        return text.format(
            batch=f"batch {finding.sequence}" if finding.sequence else "a delivery",
            deliveries=count(finding.count, "delivery", "deliveries"),
            parts=count(finding.count, "part"),
            things=count(finding.count, "thing"),
            since=_time(finding.since),
            until=_time(finding.until),
            times="once" if finding.count == 1 else f"{finding.count} times",
        )

    return fill


_SENTENCES: Mapping[Kind, Callable[[Finding], str]] = {
    Kind.COMPLETE: _complete,
    Kind.REPEATED: _of("{batch} came again {times}, the same bytes"),
    Kind.LATE: _of("{batch} came after a later one"),
    Kind.JOINED: _of("{batch} was joined from {parts}"),
    Kind.GAP: _of("nothing was collected from {since} until {until}, says {batch}"),
    Kind.TEST: _of("tests, which stand in no chain: {deliveries}"),
    Kind.NOTED: _noted,
    Kind.PROVED: _proved,
    Kind.ENDED: _ended,
    Kind.UNSEALED: _of(
        "nothing here says what the digest of {batch} must be: that no event of it was changed, or is lacking at its"
        " end, is not proved"
    ),
    Kind.NUMBERS: _of("the numbers were looked at; that no event was changed is not proved"),
    Kind.MISSING: _missing,
    Kind.INCOMPLETE: _incomplete,
    Kind.UNPROVED: _unproved,
    Kind.UNATTESTED: _unattested,
    Kind.MANIFEST_MISSING: _of("there is no manifest for the time from {since} until {until}"),
    Kind.ALTERED: _of("{batch} is not what its digest says: the body or a header was changed"),
    Kind.UNSIGNED: _of("{batch} has no signature"),
    Kind.FORGED: _of(
        "{batch} is not signed with any of the secrets or keys given: it was made or changed by somebody else, is"
        " another destination's, or a secret of that time is lacking"
    ),
    Kind.CONTRADICTION: _of("{batch} came in two versions, with different events or another place"),
    Kind.BROKEN: _of("{batch} does not follow the batch before it that is here"),
    Kind.MISNUMBERED: _of("{batch} has not as many events as it says"),
    Kind.FOREIGN: _of("this is not a stream of the destination asked for: {deliveries}"),
    Kind.UNPLACED: _of("{things} that say of no chain that they belong to it"),
    Kind.MANIFEST_FORGED: _of(
        "the manifest until {until} is not one that the platform signed: it was changed, or signed with another key"
    ),
    Kind.MANIFEST_CONTRADICTION: _of("the manifest until {until} contradicts another one"),
    Kind.UNLIKE_MANIFEST: _of("{batch} is not the one that the manifest until {until} tells of"),
    Kind.UNREADABLE: _of("{things} could not be read; the first"),
    Kind.UNVERIFIABLE: _of(
        "the bytes that were sent are not here any more, so that no digest or signature can be checked: see"
        " --numbers-only"
    ),
    Kind.NOTHING: _of("there is nothing here that stands in a chain"),
}


def _range(one: str, many: str, first: int, last: int) -> str:
    return f"{one} {first}" if first == last else f"{many} {first} to {last}"


def _time(ms: int) -> str:
    try:
        return second_text(ms)
    except (AuditcastError, OverflowError, ValueError):  # a time that no calendar has
        return f"{ms} ms"
